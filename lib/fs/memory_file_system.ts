/** A file system in memory: for tests, and for embedders who want a store that leaves no trace. */

import { assertRange, assertSize } from "./file_range.ts";
import type { File, FileLock, FileStat, FileSystem, OpenMode } from "./file_system.ts";
import { attempt, SystemError } from "./io_error.ts";

/** A file apart from its names: whoever has it open keeps it when the last name goes. */
class MemoryFileNode {
  readonly kind = "file";
  locked = false;
  size = 0;
  /** The contents, and beyond `size` only zeros. */
  #bytes = new Uint8Array(0);

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    buffer.set(this.#bytes.subarray(position, position + count), offset);
    return count;
  }

  write(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (length === 0) return 0;
    const end = position + length;
    this.#reserve(end);
    this.#bytes.set(buffer.subarray(offset, offset + length), position);
    this.size = Math.max(this.size, end);
    return length;
  }

  truncate(size: number): void {
    if (size > this.size) this.#reserve(size);
    else this.#bytes.fill(0, size, this.size);
    this.size = size;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    let grown: Uint8Array<ArrayBuffer>;
    try {
      grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length, 64));
    } catch {
      throw new SystemError("ENOSPC", "no memory left");
    }
    grown.set(this.#bytes.subarray(0, this.size));
    this.#bytes = grown;
  }
}

class MemoryDirectoryNode {
  readonly kind = "directory";
  readonly entries = new Map<string, MemoryNode>();
}

type MemoryNode = MemoryFileNode | MemoryDirectoryNode;

class MemoryFile implements File {
  readonly path: string;
  readonly #writable: boolean;
  #node: MemoryFileNode | undefined;

  constructor(path: string, node: MemoryFileNode, writable: boolean) {
    this.path = path;
    this.#node = node;
    this.#writable = writable;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    assertRange(buffer, offset, length, position);
    return attempt("read", this.path, () => this.#open().read(buffer, offset, length, position));
  }

  readAsync(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    assertRange(buffer, offset, length, position);
    return new Promise((resolve) => resolve(this.read(buffer, offset, length, position)));
  }

  write(buffer: Uint8Array, offset: number, length: number, position: number): number {
    assertRange(buffer, offset, length, position);
    return attempt("write", this.path, () => {
      const node = this.#open();
      if (!this.#writable) throw new SystemError("EBADF", "the file is open for reading only");
      return node.write(buffer, offset, length, position);
    });
  }

  sync(): void {
    attempt("sync", this.path, () => this.#open());
  }

  syncAsync(): Promise<void> {
    return new Promise((resolve) => resolve(this.sync()));
  }

  truncate(size: number): void {
    assertSize(size);
    attempt("truncate", this.path, () => {
      const node = this.#open();
      if (!this.#writable) throw new SystemError("EINVAL", "the file is open for reading only");
      node.truncate(size);
    });
  }

  size(): number {
    return attempt("look at", this.path, () => this.#open().size);
  }

  close(): void {
    this.#node = undefined;
  }

  #open(): MemoryFileNode {
    if (this.#node === undefined) throw new SystemError("EBADF", "the file is closed");
    return this.#node;
  }
}

/**
 * Directories and files held in memory, with the behaviour and the errors of the real ones. All
 * paths start at one root, which exists; `/` and `\` both separate names, and there are no links.
 * A lock excludes others that use the same `MemoryFileSystem`.
 *
 * @example
 * ```ts
 * import { MemoryFileSystem } from "@cairn/kv";
 *
 * const fileSystem = new MemoryFileSystem();
 * fileSystem.makeDirectory("data");
 * console.assert(fileSystem.stat("data")?.kind === "directory");
 * ```
 */
export class MemoryFileSystem implements FileSystem {
  readonly #root = new MemoryDirectoryNode();

  /** Creates a directory and its missing parents. No error if it exists. */
  makeDirectory(path: string): void {
    attempt("create directory", path, () => {
      let directory = this.#root;
      for (const name of namesIn(path)) {
        let next = directory.entries.get(name);
        if (next === undefined) directory.entries.set(name, next = new MemoryDirectoryNode());
        directory = asDirectory(next);
      }
    });
  }

  /** Names in a directory, in the order of their creation. */
  readDirectory(path: string): string[] {
    return attempt("list", path, () => [...asDirectory(this.#find(path)).entries.keys()]);
  }

  /** What `path` is, or undefined if nothing has that name. */
  stat(path: string): FileStat | undefined {
    let node: MemoryNode | undefined = this.#root;
    for (const name of namesIn(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node && { kind: node.kind, size: node.kind === "file" ? node.size : 0 };
  }

  /** The path from the root on; there are no links to follow. */
  realPath(path: string): string {
    return `/${namesIn(path).join("/")}`;
  }

  /** Opens a file, or with `create` makes a new one. */
  open(path: string, mode: OpenMode): File {
    return attempt(mode === "create" ? "create" : "open", path, () => {
      const node = mode === "create" ? this.#create(path) : asFile(this.#find(path));
      return new MemoryFile(path, node, mode !== "read");
    });
  }

  /** Atomically gives `from` the name `to`, replacing what had it. */
  rename(from: string, to: string): void {
    attempt("rename", `${from} to ${to}`, () => this.#rename(from, to), to);
  }

  /** Removes a file. Those who have it open keep it. */
  unlink(path: string): void {
    attempt("remove", path, () => {
      asFile(this.#find(path));
      const { directory, name } = this.#parent(path);
      directory.entries.delete(name);
    });
  }

  /** Checks that the directory exists; there is nothing to force anywhere. */
  syncDirectory(path: string): void {
    attempt("sync directory", path, () => void asDirectory(this.#find(path)));
  }

  /** Takes the exclusive lock on the file `path`, creating it if missing. */
  lock(path: string): FileLock | undefined {
    const node = attempt("lock", path, () => {
      return this.stat(path) === undefined ? this.#create(path) : asFile(this.#find(path));
    });
    if (node.locked) return undefined;
    node.locked = true;
    let held = true;
    return {
      release() {
        if (held) node.locked = false;
        held = false;
      },
    };
  }

  #find(path: string): MemoryNode {
    let node: MemoryNode = this.#root;
    for (const name of namesIn(path)) {
      const next = asDirectory(node).entries.get(name);
      if (next === undefined) throw new SystemError("ENOENT", "no such file or directory");
      node = next;
    }
    return node;
  }

  #parent(path: string): { directory: MemoryDirectoryNode; name: string } {
    const names = namesIn(path);
    const name = names.pop();
    if (name === undefined) throw new SystemError("EBUSY", "it is the root directory");
    return { directory: asDirectory(this.#find(names.join("/"))), name };
  }

  #create(path: string): MemoryFileNode {
    const { directory, name } = this.#parent(path);
    if (directory.entries.has(name)) throw new SystemError("EEXIST", "file already exists");
    const node = new MemoryFileNode();
    directory.entries.set(name, node);
    return node;
  }

  #rename(from: string, to: string): void {
    const moved = this.#find(from);
    const source = this.#parent(from);
    const target = this.#parent(to);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === moved) return;
    if (moved.kind === "directory") {
      if (`/${namesIn(to).join("/")}/`.startsWith(`/${namesIn(from).join("/")}/`)) {
        throw new SystemError("EINVAL", "a directory cannot be moved into itself");
      }
      if (replaced !== undefined && asDirectory(replaced).entries.size > 0) {
        throw new SystemError("ENOTEMPTY", "directory not empty");
      }
    } else if (replaced !== undefined) {
      asFile(replaced);
    }
    source.directory.entries.delete(source.name);
    target.directory.entries.set(target.name, moved);
  }
}

function namesIn(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split(/[\\/]/)) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names;
}

function asDirectory(node: MemoryNode): MemoryDirectoryNode {
  if (node.kind !== "directory") throw new SystemError("ENOTDIR", "not a directory");
  return node;
}

function asFile(node: MemoryNode): MemoryFileNode {
  if (node.kind !== "file") throw new SystemError("EISDIR", "it is a directory");
  return node;
}
