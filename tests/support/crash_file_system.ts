/**
 * A simulated disk whose power can be cut, and under which a process can be killed, at any call.
 *
 * It keeps two states of every file and directory: what programs see, and what is durable with the
 * changes since. Only a sync makes changes durable. What a power cut leaves of the others is up to
 * `crash_survival.ts`; a killed process loses nothing that it wrote.
 */

import { dirname, normalize } from "node:path";
import type { File, FileLock, FileStat, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { DiskFaults } from "./disk_faults.ts";
import {
  applyContent,
  applyName,
  type ContentChange,
  type NameChange,
  survivingContent,
  survivingNames,
} from "./crash_survival.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** How a {@link CrashFileSystem} behaves. */
export interface CrashFileSystemOptions {
  /** Decides what survives, and when an asynchronous sync is over. */
  random: SeededRandom;
  /** Unsynced bytes may survive as garbage (default true). */
  garbage?: boolean;
  /** Reads and writes may do less than they were asked for (default false). */
  shortTransfers?: boolean;
  /** Runs the rest of an asynchronous call; a test that owns scheduling passes its own. */
  later?: (task: () => void) => void;
}

/** What lock files name as their holder: that of the test would make each process another run. */
const PROCESS_ID = 4711;
const SHORT_PROBABILITY = 0.1;
/** How likely a change is durable although the sync that covers it failed. */
const FAILED_SYNC_KEEPS = 0.3;

/** What ends a run: the power for all, or one process on a machine that goes on. */
export type CrashKind = "power" | "kill";

/** A file apart from its names: what of it is durable, and what has changed since. */
class Inode {
  durable: Uint8Array = new Uint8Array(0);
  pending: { number: number; change: ContentChange }[] = [];
  #changes = 0;

  get lastChange(): number {
    return this.#changes;
  }

  note(change: ContentChange): void {
    this.pending.push({ number: ++this.#changes, change });
  }

  /** Makes the changes up to and including `number` durable. */
  sync(number: number): void {
    for (const { change } of this.#take(number)) this.durable = applyContent(this.durable, change);
  }

  /**
   * A sync that failed: programs go on seeing the changes, but the system takes them for written and
   * will not write them again. Some were, some never will be.
   */
  failSync(number: number, random: SeededRandom): void {
    for (const { change } of this.#take(number)) {
      if (random.chance(FAILED_SYNC_KEEPS)) this.durable = applyContent(this.durable, change);
    }
  }

  #take(number: number): { number: number; change: ContentChange }[] {
    const taken = this.pending.filter((each) => each.number <= number);
    this.pending = this.pending.filter((each) => each.number > number);
    return taken;
  }
}

/** A directory: which names are durable, and what has changed since. */
class DirectoryState {
  durable = new Map<string, Inode>();
  pending: NameChange<Inode>[] = [];
}

/** The simulated disk. All calls that change something are counted; a cut happens at one of them. */
export class CrashFileSystem implements FileSystem {
  /** Calls so far that change something or make it durable. */
  calls = 0;
  /** Errors that the disk gives while it goes on. */
  readonly faults = new DiskFaults();

  readonly #random: SeededRandom;
  readonly #garbage: boolean;
  readonly #shortTransfers: boolean;
  readonly #later: (task: () => void) => void;
  /** What programs see. */
  #visible = new MemoryFileSystem();
  /** The file behind every visible name. */
  #inodes = new Map<string, Inode>();
  /** Directories are durable from their creation: see `FileSystem.makeDirectory`. */
  #directories = new Map<string, DirectoryState>();
  #locks = new Set<FileLock>();
  /** Grows with every crash: files opened before it are nobody's any more. */
  #generation = 0;
  #stopAt = Infinity;
  #stopped = false;

  constructor(
    { random, garbage = true, shortTransfers = false, later = setImmediate }:
      CrashFileSystemOptions,
  ) {
    this.#random = random;
    this.#garbage = garbage;
    this.#shortTransfers = shortTransfers;
    this.#later = (task) => void later(task);
  }

  /** Whether nothing works any more, until {@link restart}. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Everything stops at the `count`th call from now on, before or after it took effect. */
  stopAfter(count: number): void {
    this.#stopAt = this.calls + count;
  }

  /** Everything stops now. */
  stop(): void {
    this.#stopped = true;
  }

  /** Goes on after a stop: the process that ran is gone, and with `"power"` what was not synced. */
  restart(kind: CrashKind): void {
    this.#generation++;
    this.#stopped = false;
    this.#stopAt = Infinity;
    for (const lock of this.#locks) lock.release();
    this.#locks.clear();
    if (kind === "power") this.#losePower();
  }

  makeDirectory(path: string): void {
    this.#step(path, () => {
      this.#visible.makeDirectory(path);
      this.#directory(normalize(path));
    });
  }

  readDirectory(path: string): string[] {
    this.#assertRunning(path);
    return this.#visible.readDirectory(path);
  }

  stat(path: string): FileStat | undefined {
    this.#assertRunning(path);
    return this.#visible.stat(path);
  }

  realPath(path: string): string {
    this.#assertRunning(path);
    return this.#visible.realPath(path);
  }

  open(path: string, mode: OpenMode): File {
    this.#assertRunning(path);
    if (mode !== "create") return this.#handle(this.#visible.open(path, mode), path);
    return this.#step(path, () => {
      this.#failAsPlanned("create", path, "write");
      const file = this.#visible.open(path, mode);
      this.#noteCreated(path);
      return this.#handle(file, path);
    });
  }

  rename(from: string, to: string): void {
    this.#step(to, () => {
      this.#failAsPlanned("rename", to, "write");
      this.#visible.rename(from, to);
      const file = this.#inode(from);
      this.#inodes.delete(normalize(from));
      this.#inodes.set(normalize(to), file);
      this.#pendingOf(to).push({
        kind: "rename",
        name: normalize(to),
        from: normalize(from),
        file,
      });
    });
  }

  unlink(path: string): void {
    this.#step(path, () => {
      this.#failAsPlanned("remove", path, "write");
      this.#visible.unlink(path);
      const file = this.#inode(path);
      this.#inodes.delete(normalize(path));
      this.#pendingOf(path).push({ kind: "unlink", name: normalize(path), file });
    });
  }

  syncDirectory(path: string): void {
    this.#step(path, () => {
      this.#visible.syncDirectory(path);
      const error = this.faults.errorOf("sync");
      const directory = this.#directory(normalize(path));
      // As with files: what a failed sync leaves undone, no later one will do.
      for (const change of directory.pending) {
        if (error === undefined || this.#random.chance(FAILED_SYNC_KEEPS)) {
          applyName(directory.durable, change);
        }
      }
      directory.pending = [];
      if (error !== undefined) throw ioError("sync directory", path, error);
    });
  }

  lock(path: string): FileLock | undefined {
    return this.#step(path, () => {
      const isNew = this.#visible.stat(path) === undefined;
      const lock = this.#visible.lock(path);
      if (isNew) this.#noteCreated(path);
      if (lock === undefined) return undefined;
      this.#locks.add(lock);
      return { processId: PROCESS_ID, release: () => lock.release() };
    });
  }

  #losePower(): void {
    const visible = new MemoryFileSystem();
    const inodes = new Map<string, Inode>();
    const contents = new Map<Inode, Uint8Array>();
    for (const [path, directory] of this.#directories) {
      visible.makeDirectory(path);
      const names = survivingNames(directory.durable, directory.pending, this.#random);
      directory.durable = names;
      directory.pending = [];
      for (const [name, inode] of names) {
        if (!contents.has(inode)) contents.set(inode, this.#survivor(inode));
        const file = visible.open(name, "create");
        const bytes = contents.get(inode)!;
        file.write(bytes, 0, bytes.length, 0);
        file.close();
        inodes.set(name, inode);
      }
    }
    for (const [inode, bytes] of contents) {
      inode.durable = bytes;
      inode.pending = [];
    }
    this.#visible = visible;
    this.#inodes = inodes;
  }

  #survivor(inode: Inode): Uint8Array {
    const pending = inode.pending.map(({ change }) => change);
    return survivingContent(inode.durable, pending, this.#random, { garbage: this.#garbage });
  }

  #noteCreated(path: string): void {
    const file = new Inode();
    this.#inodes.set(normalize(path), file);
    this.#pendingOf(path).push({ kind: "create", name: normalize(path), file });
  }

  #inode(path: string): Inode {
    const inode = this.#inodes.get(normalize(path));
    if (inode === undefined) throw new Error(`${path} was never created here`);
    return inode;
  }

  #directory(path: string): DirectoryState {
    let directory = this.#directories.get(path);
    if (directory === undefined) this.#directories.set(path, directory = new DirectoryState());
    return directory;
  }

  #pendingOf(path: string): NameChange<Inode>[] {
    return this.#directory(dirname(normalize(path))).pending;
  }

  #handle(file: File, path: string): File {
    const inode = this.#inode(path);
    const generation = this.#generation;
    const alive = () => this.#assertRunning(path, generation);
    const step = <Result>(effect: (whole: boolean) => Result) =>
      this.#step(path, effect, generation);
    // A descriptor stays open until the reads in flight are through.
    let inFlight = 0;
    let closed = false;
    const read: File["read"] = (buffer, offset, length, position) => {
      alive();
      this.#failAsPlanned("read", path, "read");
      return file.read(buffer, offset, this.#shortened(length), position);
    };
    const write: File["write"] = (buffer, offset, length, position) => {
      const count = file.write(buffer, offset, length, position);
      inode.note({ kind: "write", position, bytes: buffer.slice(offset, offset + count) });
      return count;
    };
    const sync = (lastChange: number) => {
      const error = this.faults.errorOf("sync");
      if (error === undefined) return inode.sync(lastChange);
      inode.failSync(lastChange, this.#random);
      throw ioError("sync", path, error);
    };
    return {
      path: file.path,
      read,
      readAsync: async (...range) => {
        alive();
        inFlight++;
        try {
          await new Promise<void>((resolve) => this.#later(resolve));
          return read(...range);
        } finally {
          if (--inFlight === 0 && closed) file.close();
        }
      },
      write: (buffer, offset, length, position) =>
        step((whole) => {
          // Where the process ends in the midst of a write, any part of it may have been taken.
          if (!whole) return write(buffer, offset, this.#random.below(length + 1), position);
          const error = this.faults.errorOf("write");
          if (error === undefined) return write(buffer, offset, this.#shortened(length), position);
          // An error may come after part of the bytes were taken.
          const taken = this.#random.below(length + 1);
          if (taken > 0) write(buffer, offset, taken, position);
          throw ioError("write", path, error);
        }),
      sync: () => step(() => sync(inode.lastChange)),
      syncAsync: async () => {
        // It covers what was written before it began, and may be cut off while it runs.
        const lastChange = step(() => inode.lastChange);
        await new Promise<void>((resolve) => this.#later(resolve));
        step(() => sync(lastChange));
      },
      truncate: (size) =>
        step(() => {
          file.truncate(size);
          inode.note({ kind: "truncate", size });
        }),
      size: () => (alive(), file.size()),
      close: () => {
        closed = true;
        if (inFlight === 0) file.close();
      },
    };
  }

  #failAsPlanned(verb: string, path: string, call: "read" | "write" | "sync"): void {
    const error = this.faults.errorOf(call);
    if (error !== undefined) throw ioError(verb, path, error);
  }

  #shortened(length: number): number {
    if (!this.#shortTransfers || length < 2 || !this.#random.chance(SHORT_PROBABILITY)) {
      return length;
    }
    return this.#random.between(1, length - 1);
  }

  /** Carries out a call; one that is the last may have its effect, or a write a part of it. */
  #step<Result>(
    path: string,
    effect: (whole: boolean) => Result,
    generation = this.#generation,
  ): Result {
    this.#assertRunning(path, generation);
    if (++this.calls < this.#stopAt) return effect(true);
    if (this.#random.chance(0.5)) effect(this.#random.chance(0.5));
    this.#stopped = true;
    throw stoppedError(path);
  }

  #assertRunning(path: string, generation = this.#generation): void {
    if (this.#stopped || generation !== this.#generation) throw stoppedError(path);
  }
}

function stoppedError(path: string): Error {
  return ioError("use", path, new SystemError("ENODEV", "the simulated machine has stopped"));
}
