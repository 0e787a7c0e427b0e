/**
 * The real file system, over `node:fs`, which Node, Bun and Deno all have.
 *
 * Calls carry explicit positions and explicit fsyncs. The runtimes' conveniences (streams, append
 * mode, the `flush` option) are avoided on purpose: some of them lose errors.
 */

import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { DIRECTORY_MODE, hasMode, openDescriptor } from "./descriptor.ts";
import { assertRange, assertSize } from "./file_range.ts";
import type { File, FileLock, FileStat, FileSystem, MappedBytes, OpenMode } from "./file_system.ts";
import { attempt, attemptAsync, ioError, SystemError, systemErrorCode } from "./io_error.ts";
import { MemoryMap } from "./memory_map.ts";
import { lockNatively } from "./native_lock.ts";
import { closeDescriptor, keepDescriptor } from "./worker_descriptor.ts";

/** Longest single read or write: above 2 GiB some systems refuse the call instead of shortening it. */
const CALL_BYTES_MAX = 1 << 30;

/**
 * Longest read that is taken from a memory map. The system reads a page at a time for one that is not
 * in its cache; and for a longer read the call costs little beside the copy.
 */
const MAPPED_READ_BYTES_MAX = 8 << 10;

/** The file system of the machine, on Node, Bun and Deno. */
export const nodeFileSystem: FileSystem = {
  makeDirectory,
  readDirectory(path: string): string[] {
    return attempt("list", path, () => fs.readdirSync(path));
  },
  stat(path: string): FileStat | undefined {
    return attempt("look at", path, () => statOf(path));
  },
  realPath(path: string): string {
    return attempt("look at", path, () => realPath(path));
  },
  open(path: string, mode: OpenMode): File {
    const verb = mode === "create" ? "create" : "open";
    return new NodeFile(
      path,
      attempt(verb, path, () => keepDescriptor(openDescriptor(path, mode))),
    );
  },
  rename(from: string, to: string): void {
    attempt("rename", `${from} to ${to}`, () => fs.renameSync(from, to), to);
  },
  unlink(path: string): void {
    attempt("remove", path, () => {
      // Deno's unlink removes an empty directory without a word.
      if (fs.lstatSync(path).isDirectory()) throw new SystemError("EISDIR", "it is a directory");
      fs.unlinkSync(path);
    });
  },
  async unlinkAsync(path: string): Promise<void> {
    await attemptAsync("remove", path, async () => {
      if (fs.lstatSync(path).isDirectory()) throw new SystemError("EISDIR", "it is a directory");
      await fs.promises.unlink(path);
    });
  },
  syncDirectory(path: string): void {
    attempt("sync directory", path, () => syncDirectory(path));
  },
  async syncDirectoryAsync(path: string): Promise<void> {
    await attemptAsync("sync directory", path, () => syncDirectoryAsync(path));
  },
  lock(path: string): FileLock | undefined {
    return lockNatively(path);
  },
};

class NodeFile implements File {
  readonly path: string;
  /** The descriptor, or -1 once closed: a number given back may soon be another file's. */
  #fd: number;
  /** Calls that other threads are making with the descriptor. */
  #inFlightCount = 0;
  /** A descriptor to give back as soon as no call is in flight. */
  #closing = -1;
  #map: MemoryMap | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    assertRange(buffer, offset, length, position);
    const map = this.#map;
    if (length <= MAPPED_READ_BYTES_MAX && map !== undefined && map.has(position, length)) {
      map.copy(offset === 0 ? buffer : buffer.subarray(offset), length, position);
      return length;
    }
    try {
      return fs.readSync(this.#open(), buffer, offset, Math.min(length, CALL_BYTES_MAX), position);
    } catch (error) {
      throw ioError("read", this.path, error);
    }
  }

  readAsync(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    assertRange(buffer, offset, length, position);
    return this.#async<number>("read", (fd, done) => {
      fs.read(fd, buffer, offset, Math.min(length, CALL_BYTES_MAX), position, done);
    });
  }

  map(length: number): MappedBytes | undefined {
    assertSize(length);
    this.#map?.unmap();
    this.#map = this.size() < length ? undefined : MemoryMap.of(this.#open(), length);
    return this.#map;
  }

  write(buffer: Uint8Array, offset: number, length: number, position: number): number {
    assertRange(buffer, offset, length, position);
    try {
      return fs.writeSync(this.#open(), buffer, offset, Math.min(length, CALL_BYTES_MAX), position);
    } catch (error) {
      throw ioError("write", this.path, error);
    }
  }

  writeAsync(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    assertRange(buffer, offset, length, position);
    return this.#async<number>("write", (fd, done) => {
      fs.write(fd, buffer, offset, Math.min(length, CALL_BYTES_MAX), position, done);
    });
  }

  sync(): void {
    try {
      fs.fdatasyncSync(this.#open());
    } catch (error) {
      throw ioError("sync", this.path, error);
    }
  }

  syncAsync(): Promise<void> {
    return this.#async<void>("sync", (fd, done) => fs.fdatasync(fd, (error) => done(error)));
  }

  truncate(size: number): void {
    assertSize(size);
    try {
      fs.ftruncateSync(this.#open(), size);
    } catch (error) {
      throw ioError("truncate", this.path, error);
    }
  }

  size(): number {
    try {
      return fs.fstatSync(this.#open()).size;
    } catch (error) {
      throw ioError("look at", this.path, error);
    }
  }

  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    this.#map?.unmap();
    this.#map = undefined;
    if (this.#inFlightCount > 0) {
      // Closed now, the number could be given to another file before the call in flight uses it.
      this.#closing = fd;
      return;
    }
    // Never tried twice: the descriptor is gone even when close reports an error.
    attempt("close", this.path, () => closeDescriptor(fd));
  }

  #open(): number {
    if (this.#fd === -1) throw new SystemError("EBADF", "the file is closed");
    return this.#fd;
  }

  #async<Result>(
    verb: string,
    call: (fd: number, done: (error: Error | null, result?: Result) => void) => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#fd === -1) {
        reject(ioError(verb, this.path, new SystemError("EBADF", "the file is closed")));
        return;
      }
      this.#inFlightCount++;
      call(this.#fd, (error, result) => {
        this.#inFlightCount--;
        this.#closeIfIdle();
        if (error) reject(ioError(verb, this.path, error));
        else resolve(result as Result);
      });
    });
  }

  #closeIfIdle(): void {
    if (this.#closing === -1 || this.#inFlightCount > 0) return;
    const fd = this.#closing;
    this.#closing = -1;
    try {
      closeDescriptor(fd);
    } catch {
      // Whoever closed the file is long gone, and what was synced is safe without this.
    }
  }
}

function statOf(path: string): FileStat | undefined {
  let stat: fs.Stats;
  try {
    stat = fs.lstatSync(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  if (stat.isFile()) return { kind: "file", size: stat.size };
  if (stat.isDirectory()) return { kind: "directory", size: 0 };
  return { kind: stat.isSymbolicLink() ? "symlink" : "other", size: 0 };
}

function realPath(path: string): string {
  let existing = resolve(path);
  let rest = "";
  for (;;) {
    try {
      return join(fs.realpathSync.native(existing), rest);
    } catch (error) {
      const code = systemErrorCode(error) ?? "";
      // What may not be looked at is taken as it is called.
      if (ACCESS_CODES.has(code)) return join(existing, rest);
      const isMissing = code === "ENOENT" || code === "ENOTDIR";
      if (!isMissing || dirname(existing) === existing) throw error;
    }
    rest = join(basename(existing), rest);
    existing = dirname(existing);
  }
}

function syncDirectory(path: string): void {
  // Windows cannot fsync a directory; NTFS journals its entries by itself.
  if (process.platform === "win32") return;
  const fd = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0));
  try {
    fs.fsyncSync(fd);
  } catch (error) {
    // Some file systems have no such operation for directories and say so with EINVAL. There is
    // then nothing to wait for. Any other error means that the entries may be lost.
    if (systemErrorCode(error) !== "EINVAL") throw error;
  } finally {
    fs.closeSync(fd);
  }
}

async function syncDirectoryAsync(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const fd = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0));
  try {
    await promisify(fs.fsync)(fd);
  } catch (error) {
    if (systemErrorCode(error) !== "EINVAL") throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Creates the missing directories from the top down, each synced into its parent before anything
 * is put into it. The lowest one that exists already is synced as well: whoever created it may have
 * been killed before doing so. A new one whose sync failed is removed again: a later sync would
 * succeed without making it durable.
 */
function makeDirectory(path: string): void {
  attempt("create directory", path, () => {
    const missing: string[] = [];
    let existing = resolve(path);
    while (!isDirectory(existing) && dirname(existing) !== existing) {
      missing.push(existing);
      existing = dirname(existing);
    }
    syncIntoParent(existing);
    for (const directory of missing.reverse()) {
      let isNew = false;
      try {
        fs.mkdirSync(directory, { mode: DIRECTORY_MODE });
        isNew = true;
        if (!hasMode(fs.lstatSync(directory).mode, DIRECTORY_MODE)) {
          fs.chmodSync(directory, DIRECTORY_MODE);
        }
      } catch (error) {
        // Another process may have been quicker; a dangling symbolic link may also have the name.
        if (systemErrorCode(error) !== "EEXIST" || !isDirectory(directory)) throw error;
      }
      try {
        syncIntoParent(directory);
      } catch (error) {
        if (isNew) tryToRemoveDirectory(directory);
        throw error;
      }
    }
  });
}

/** Clears up after a failure, whose error matters more than one from here. */
function tryToRemoveDirectory(path: string): void {
  try {
    fs.rmdirSync(path);
  } catch {
    // It stays, as it would have without.
  }
}

/** Whether `path` is a directory, perhaps through links; throws if something else has the name. */
function isDirectory(path: string): boolean {
  let stat: fs.Stats | undefined;
  try {
    stat = fs.statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const code = systemErrorCode(error) ?? "";
    // What may not be looked at may still be written below. If not, creating says so.
    if (ACCESS_CODES.has(code)) return true;
    // Something above is a file. The error shall name that one.
    if (code !== "ENOTDIR") throw error;
  }
  if (stat === undefined) return false;
  if (!stat.isDirectory()) throw new SystemError("ENOTDIR", `${path} is not a directory`);
  return true;
}

function syncIntoParent(directory: string): void {
  const parent = dirname(directory);
  if (parent === directory) return;
  try {
    syncDirectory(parent);
  } catch (error) {
    // One may be allowed to use a directory without being allowed to read the one above it: a
    // service's own directory, or Deno with access to the store alone. That is no reason to fail.
    if (!ACCESS_CODES.has(systemErrorCode(error) ?? "")) throw error;
  }
}

const ACCESS_CODES: ReadonlySet<string> = new Set([
  "EACCES",
  "EPERM",
  "ERR_ACCESS_DENIED",
  "NotCapable",
]);
