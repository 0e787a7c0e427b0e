/** A file system that notes what is mapped, and holds it against what becomes of the files. */

import assert from "node:assert/strict";
import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** Nothing is really mapped: what is asked for is noted, and reads are as ever. */
export class MappingFileSystem extends PassingFileSystem {
  /** Length of the map of each file that has one, by path. */
  readonly mapped = new Map<string, number>();
  /** What was to be fetched ahead of reads. */
  readonly touched: { path: string; position: number }[] = [];

  override open(path: string, mode: OpenMode): File {
    const file = this.base.open(path, mode);
    const { mapped, touched } = this;
    let isMapped = false;
    return {
      path: file.path,
      read: (...range) => file.read(...range),
      readAsync: (...range) => file.readAsync(...range),
      map(length) {
        assert(length <= file.size(), `${path} is mapped beyond its end`);
        isMapped = true;
        mapped.set(path, length);
        return { touch: (position) => void touched.push({ path, position }) };
      },
      write: (...range) => file.write(...range),
      sync: () => file.sync(),
      syncAsync: () => file.syncAsync(),
      truncate(size) {
        assert(size >= (mapped.get(path) ?? 0), `${path} is cut off below what is mapped of it`);
        file.truncate(size);
      },
      size: () => file.size(),
      close() {
        if (isMapped) mapped.delete(path);
        file.close();
      },
    };
  }
}
