/** A file system in memory that can do without blocking what a disk can, and notes what blocks. */

import { basename } from "node:path";
import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** Lets the event loop have its turn, as whoever waits for another thread does. */
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Notes every call that would keep the event loop waiting for a disk. */
export class PatientFileSystem extends PassingFileSystem {
  /** Calls that blocked: what, which file, and for reads and writes how many bytes. */
  readonly blocking: { call: string; name: string; bytes: number }[] = [];
  /** Calls that did not, alike. */
  readonly patient: { call: string; name: string; bytes: number }[] = [];
  /** Bytes that were written to each file and not synced yet. */
  readonly dirtyBytes = new Map<string, number>();

  constructor() {
    super(new MemoryFileSystem());
  }

  override open(path: string, mode: OpenMode): File {
    const file = this.base.open(path, mode);
    const name = basename(path);
    const note = (call: string, bytes = 0) => void this.blocking.push({ call, name, bytes });
    const noteWrite = (count: number) => {
      this.dirtyBytes.set(name, (this.dirtyBytes.get(name) ?? 0) + count);
      return count;
    };
    return {
      path,
      read: (...range) => (note("read", range[2]), file.read(...range)),
      readAsync: async (...range) => {
        this.patient.push({ call: "read", name, bytes: range[2] });
        await turn();
        return await file.readAsync(...range);
      },
      write: (...range) => (note("write", range[2]), noteWrite(file.write(...range))),
      writeAsync: async (...range) => {
        this.patient.push({ call: "write", name, bytes: range[2] });
        await turn();
        return noteWrite(file.write(...range));
      },
      sync: () => {
        note("sync", this.dirtyBytes.get(name));
        this.dirtyBytes.delete(name);
        file.sync();
      },
      syncAsync: async () => {
        this.patient.push({ call: "sync", name, bytes: this.dirtyBytes.get(name) ?? 0 });
        this.dirtyBytes.delete(name);
        await turn();
        await file.syncAsync();
      },
      truncate: (size) => (note("truncate"), file.truncate(size)),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  override unlink(path: string): void {
    this.blocking.push({ call: "unlink", name: basename(path), bytes: 0 });
    this.base.unlink(path);
  }

  async unlinkAsync(path: string): Promise<void> {
    this.patient.push({ call: "unlink", name: basename(path), bytes: 0 });
    await turn();
    this.base.unlink(path);
  }

  override syncDirectory(path: string): void {
    this.blocking.push({ call: "syncDirectory", name: basename(path), bytes: 0 });
    this.base.syncDirectory(path);
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    this.patient.push({ call: "syncDirectory", name: basename(path), bytes: 0 });
    await turn();
    this.base.syncDirectory(path);
  }
}
