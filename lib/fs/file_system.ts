/**
 * The file-system seam. The engine does all its input and output through these two interfaces, so
 * that it runs alike on every runtime, in memory, and on a simulated disk that fails on demand.
 *
 * Every method throws `KvError` with code `Io` (or `NoSpace` when the disk or a quota is full),
 * with `path` and `cause`. Calls are synchronous where the operating system answers from memory;
 * the slow ones have an `Async` twin that does not block the event loop.
 */

/** What a path names; symbolic links are not followed. */
export interface FileStat {
  /** What it is; pipes, sockets and devices are `other`. */
  kind: "file" | "directory" | "symlink" | "other";
  /** Length in bytes; 0 for anything but a file. */
  size: number;
}

/** How {@link FileSystem.open} opens a file. `create` fails if anything has that name already. */
export type OpenMode = "read" | "write" | "create";

/** Bytes of a file that are memory, until the file is closed. */
export interface MappedBytes {
  /**
   * Lets the processor begin to fetch the bytes at `position`, so that reading them soon takes less
   * time. Nothing happens where no bytes are mapped, or not any more.
   */
  touch(position: number): void;
}

/** An open file. Reads and writes are positioned and may be short, as in POSIX. */
export interface File {
  /** The path it was opened by. */
  readonly path: string;
  /** Reads up to `length` bytes at `position` into `buffer` at `offset`; 0 means end of file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number;
  /** As {@link File.read}, without blocking the event loop. */
  readAsync(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
  /**
   * Lets short reads of the first `length` bytes, which the file has, go without system calls from
   * now on, where that is possible; until it is called again, or the file is closed. It is for those
   * who know that the file stays at least so long: reading what was cut off ends the process.
   * Returns the bytes, if they are memory now.
   */
  map?(length: number): MappedBytes | undefined;
  /** Writes up to `length` bytes of `buffer` from `offset` at `position`; returns how many. */
  write(buffer: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * As {@link File.write}, without blocking the event loop: while the disk is busy, even the copy into
   * the system's cache may take milliseconds. The bytes must stay as they are until it resolves.
   * Where it is absent, the other one is quick enough.
   */
  writeAsync?(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** Forces contents and length to stable storage (fdatasync). Never call it again after it failed. */
  sync(): void;
  /** As {@link File.sync}, without blocking the event loop. */
  syncAsync(): Promise<void>;
  /** Cuts or extends (with zeros) the file to `size` bytes. */
  truncate(size: number): void;
  /** Current length in bytes. */
  size(): number;
  /** Releases the descriptor. Idempotent. */
  close(): void;
}

/** An advisory, exclusive lock that dies with the process. */
export interface FileLock {
  /** Id of the process that holds it, for messages only; if undefined, that of this process. */
  readonly processId?: number;
  /** Gives the lock back. Idempotent. The lock file stays. */
  release(): void;
}

/** A tree of directories and files. */
export interface FileSystem {
  /** Creates a directory and its missing parents (mode 0700). No error if it exists. */
  makeDirectory(path: string): void;
  /** Names in a directory, in no particular order. */
  readDirectory(path: string): string[];
  /** What `path` is, or undefined if nothing has that name. */
  stat(path: string): FileStat | undefined;
  /**
   * The absolute path of `path` with the symbolic links in it followed, as far as it exists; the
   * rest of it is appended. Two paths lead to one place if these are the same.
   */
  realPath(path: string): string;
  /**
   * Opens a regular file: `read`, `write` (read and write an existing file), or `create` (a new
   * file, mode 0600). Throws `Io` for symbolic links and anything that is not a regular file.
   */
  open(path: string, mode: OpenMode): File;
  /** Atomically gives `from` the name `to`, replacing what had it. */
  rename(from: string, to: string): void;
  /** Removes a file. */
  unlink(path: string): void;
  /**
   * As {@link FileSystem.unlink}, without blocking the event loop: giving back the space of a long
   * file may take tens of milliseconds. Where it is absent, the other one is quick enough.
   */
  unlinkAsync?(path: string): Promise<void>;
  /** Forces a directory's entries (creations, renames, removals in it) to stable storage. */
  syncDirectory(path: string): void;
  /** As {@link FileSystem.syncDirectory}, without blocking the event loop; absent as above. */
  syncDirectoryAsync?(path: string): Promise<void>;
  /**
   * Takes the exclusive lock on the file `path`, creating it (mode 0600) if missing.
   * Returns undefined when somebody else, in any process or this one, holds it.
   */
  lock(path: string): FileLock | undefined;
}
