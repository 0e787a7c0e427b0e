/** A disk that fails as it is told to: errors at any call, no space left, reads and writes cut short. */

import { basename } from "node:path";
import type { File, FileLock, OpenMode } from "../../lib/fs/file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** A call to the file system, as `fail` is asked about it. */
export interface FileCall {
  what:
    | "lock"
    | "makeDirectory"
    | "create"
    /** Of a file that exists. */
    | "open"
    | "openToWrite"
    | "read"
    | "write"
    | "sync"
    | "truncate"
    | "rename"
    | "unlink"
    | "syncDirectory";
  /** The last part of the path. */
  name: string;
  path: string;
}

/** Passes everything on to another file system, unless it is to fail. */
export class FaultyFileSystem extends PassingFileSystem {
  /** Error code with which a call fails, if it shall: asked before each call. */
  fail: (call: FileCall) => string | undefined = () => undefined;
  /** Bytes that can still be written before the disk is full. */
  spaceLeft = Infinity;
  /** How much of what is wanted a single read or write does. */
  shorten: (wanted: number) => number = (wanted) => wanted;
  /** Every call that was made or failed, as `sync 0000000001.log`. */
  readonly calls: string[] = [];
  /** One object for every open file, which holds its name. */
  readonly #open = new Set<{ name: string }>();

  /** From now on nothing fails. */
  heal(): void {
    this.fail = () => undefined;
    this.spaceLeft = Infinity;
    this.shorten = (wanted) => wanted;
  }

  /** Names of the files that are open now, as often as each of them is, sorted. */
  get openNames(): string[] {
    return [...this.#open].map(({ name }) => name).sort();
  }

  override makeDirectory(path: string): void {
    this.#check("makeDirectory", path);
    this.base.makeDirectory(path);
  }

  override open(path: string, mode: OpenMode): File {
    this.#check(mode === "create" ? "create" : mode === "write" ? "openToWrite" : "open", path);
    const file = this.base.open(path, mode);
    const opened = { name: basename(path) };
    this.#open.add(opened);
    const read = (position: number) => {
      this.#check("read", path);
      return position;
    };
    return {
      path: file.path,
      read: (buffer, offset, length, position) =>
        file.read(buffer, offset, this.#short(length), read(position)),
      readAsync: async (buffer, offset, length, position) =>
        await file.readAsync(buffer, offset, this.#short(length), read(position)),
      write: (buffer, offset, length, position) => {
        this.#check("write", path);
        return this.#write(file, buffer, offset, length, position);
      },
      sync: () => {
        this.#check("sync", path);
        file.sync();
      },
      syncAsync: async () => {
        await new Promise<void>((resolve) => void setImmediate(resolve));
        this.#check("sync", path);
        await file.syncAsync();
      },
      truncate: (size) => {
        this.#check("truncate", path);
        this.spaceLeft += Math.max(0, file.size() - size);
        file.truncate(size);
      },
      size: () => file.size(),
      close: () => {
        this.#open.delete(opened);
        file.close();
      },
    };
  }

  override rename(from: string, to: string): void {
    this.#check("rename", to);
    this.base.rename(from, to);
  }

  override unlink(path: string): void {
    this.#check("unlink", path);
    const size = this.base.stat(path)?.size ?? 0;
    this.base.unlink(path);
    this.spaceLeft += size;
  }

  override syncDirectory(path: string): void {
    this.#check("syncDirectory", path);
    this.base.syncDirectory(path);
  }

  override lock(path: string): FileLock | undefined {
    this.#check("lock", path);
    return this.base.lock(path);
  }

  /** As a real disk: what still fits is written, and only then is there an error. */
  #write(
    file: File,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const grows = Math.max(0, position + length - file.size());
    const fits = length - Math.max(0, grows - this.spaceLeft);
    if (length > 0 && fits <= 0) throw errorOf("ENOSPC", "write", file.path);
    const count = file.write(buffer, offset, Math.min(fits, this.#short(length)), position);
    this.spaceLeft -= Math.max(0, grows - (length - count));
    return count;
  }

  #short(wanted: number): number {
    return Math.max(Math.min(1, wanted), Math.min(wanted, this.shorten(wanted)));
  }

  #check(what: FileCall["what"], path: string): void {
    const name = basename(path);
    this.calls.push(`${what} ${name}`);
    const code = this.fail({ what, name, path });
    if (code !== undefined) throw errorOf(code, what, path);
  }
}

function errorOf(code: string, what: string, path: string): Error {
  return ioError(what, path, new SystemError(code, "the simulated disk fails"));
}
