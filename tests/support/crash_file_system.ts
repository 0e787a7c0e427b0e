/**
 * A simulated disk whose power can be cut, and under which a process can be killed, at any call.
 *
 * It keeps two states of every file and directory: what programs see, and what is durable with the
 * changes since. Only a sync makes changes durable. What a power cut leaves of the others is up to
 * `crash_survival.ts`; a killed process loses nothing that it wrote.
 */

import { dirname } from "node:path";
import type { File, FileLock, FileStat, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { CrashDisk, DiskDirectory, DiskFile, type DiskNode } from "./crash_disk.ts";
import type { NameChange } from "./crash_survival.ts";
import { DiskFaults, type FaultCall } from "./disk_faults.ts";
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
/** What ends a run: the power for all, or one process on a machine that goes on. */
export type CrashKind = "power" | "kill";

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
  /** What of it is durable. */
  readonly #disk = new CrashDisk();
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
    if (kind === "power") {
      this.#visible = this.#disk.losePower(this.#random, { garbage: this.#garbage });
    }
  }

  /** Makes and syncs one after the other, as it must be: see `FileSystem.makeDirectory`. */
  makeDirectory(path: string): void {
    const missing: string[] = [];
    let existing = this.#visible.realPath(path);
    while (this.#visible.stat(existing) === undefined) {
      missing.unshift(existing);
      existing = dirname(existing);
    }
    this.#step(path, () => {
      this.#failAsPlanned("create directory", path, "make");
      this.#visible.makeDirectory(existing);
      // An error here changes nothing: whether an earlier call made it is not known any more.
      this.#failAsPlanned("create directory", path, "sync");
      this.#disk.directory(dirname(existing)).sync();
    });
    for (const directory of missing) {
      this.#step(path, () => {
        this.#failAsPlanned("create directory", path, "make");
        this.#visible.makeDirectory(directory);
        this.#disk.create(directory, new DiskDirectory());
      });
      this.#step(path, () => {
        try {
          this.#syncNames(dirname(directory), path);
        } catch (error) {
          this.#removeDirectory(directory);
          throw error;
        }
      });
    }
  }

  readDirectory(path: string): string[] {
    this.#assertRunning(path);
    this.#failAsPlanned("list", path, "list");
    return this.#visible.readDirectory(path);
  }

  stat(path: string): FileStat | undefined {
    this.#assertRunning(path);
    this.#failAsPlanned("look at", path, "list");
    return this.#visible.stat(path);
  }

  realPath(path: string): string {
    this.#assertRunning(path);
    return this.#visible.realPath(path);
  }

  open(path: string, mode: OpenMode): File {
    this.#assertRunning(path);
    if (mode !== "create") {
      this.#failAsPlanned("open", path, "open");
      return this.#handle(this.#visible.open(path, mode), path);
    }
    return this.#step(path, () => {
      this.#failAsPlanned("create", path, "create");
      const file = this.#visible.open(path, mode);
      this.#disk.create(this.#visible.realPath(path), new DiskFile());
      return this.#handle(file, path);
    });
  }

  rename(from: string, to: string): void {
    this.#step(to, () => {
      this.#failAsPlanned("rename", to, "rename");
      this.#visible.rename(from, to);
      this.#disk.rename(this.#visible.realPath(from), this.#visible.realPath(to));
    });
  }

  unlink(path: string): void {
    this.#step(path, () => {
      this.#failAsPlanned("remove", path, "remove");
      this.#visible.unlink(path);
      this.#disk.remove(this.#visible.realPath(path));
    });
  }

  syncDirectory(path: string): void {
    this.#step(path, () => {
      this.#visible.syncDirectory(path);
      this.#syncNames(this.#visible.realPath(path), path);
    });
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    const generation = this.#generation;
    const directory = this.#step(path, () => this.#visible.realPath(path), generation);
    // It covers what was changed before it began, and may be cut off while it runs.
    const covered = new Set(this.#disk.directory(directory).pending);
    await new Promise<void>((resolve) => this.#later(resolve));
    this.#step(path, () => this.#syncNames(directory, path, covered), generation);
  }

  lock(path: string): FileLock | undefined {
    return this.#step(path, () => {
      this.#failAsPlanned("lock", path, "lock");
      const isNew = this.#visible.stat(path) === undefined;
      const lock = this.#visible.lock(path);
      if (isNew) this.#disk.create(this.#visible.realPath(path), new DiskFile());
      if (lock === undefined) return undefined;
      this.#locks.add(lock);
      return { processId: PROCESS_ID, release: () => lock.release() };
    });
  }

  #removeDirectory(path: string): void {
    // There is no other way to remove one than to move it out of sight.
    this.#visible.rename(path, `/removed-${this.calls}`);
    this.#disk.remove(path);
  }

  #syncNames(directory: string, path: string, covered?: Set<NameChange<DiskNode>>): void {
    const error = this.faults.errorOf("sync");
    if (error === undefined) return this.#disk.directory(directory).sync(covered);
    this.#disk.directory(directory).failSync(this.#random, covered);
    throw ioError("sync directory", path, error);
  }

  #handle(file: File, path: string): File {
    const inode = this.#disk.file(this.#visible.realPath(path));
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
          this.#failAsPlanned("truncate", path, "truncate");
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

  #failAsPlanned(verb: string, path: string, call: FaultCall): void {
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
