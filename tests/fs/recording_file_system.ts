/** A file system that writes down, in order, what is asked of it; and fails when told to. */

import { basename } from "node:path";
import type { File, FileLock, OpenMode } from "../../lib/fs/file_system.ts";
import { PassingFileSystem } from "../support/passing_file_system.ts";

/** Records the calls that change something, as `write x.tmp`, and passes all on to another one. */
export class RecordingFileSystem extends PassingFileSystem {
  readonly calls: string[] = [];
  /** Called with every call before it is made; may throw in its place. */
  onCall: (call: string) => void = () => {};

  override makeDirectory(path: string): void {
    this.#record(`makeDirectory ${basename(path)}`);
    this.base.makeDirectory(path);
  }

  override open(path: string, mode: OpenMode): File {
    const name = basename(path);
    this.#record(`${mode} ${name}`);
    const file = this.base.open(path, mode);
    const record = (call: string) => this.#record(`${call} ${name}`);
    return {
      path: file.path,
      read: (...range) => file.read(...range),
      readAsync: (...range) => file.readAsync(...range),
      write: (...range) => (record("write"), file.write(...range)),
      sync: () => (record("sync"), file.sync()),
      syncAsync: () => (record("sync"), file.syncAsync()),
      truncate: (size) => (record("truncate"), file.truncate(size)),
      size: () => file.size(),
      close: () => (record("close"), file.close()),
    };
  }

  override rename(from: string, to: string): void {
    this.#record(`rename ${basename(from)} ${basename(to)}`);
    this.base.rename(from, to);
  }

  override unlink(path: string): void {
    this.#record(`unlink ${basename(path)}`);
    this.base.unlink(path);
  }

  override syncDirectory(path: string): void {
    this.#record(`syncDirectory ${basename(path)}`);
    this.base.syncDirectory(path);
  }

  override lock(path: string): FileLock | undefined {
    this.#record(`lock ${basename(path)}`);
    return this.base.lock(path);
  }

  #record(call: string): void {
    this.calls.push(call);
    this.onCall(call);
  }
}
