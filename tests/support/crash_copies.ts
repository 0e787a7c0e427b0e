/** Copies of a store that is being crashed: backups, what is restored from them, and readers. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import type { File, FileLock, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { CrashCalls } from "./crash_calls.ts";
import { PassingFileSystem } from "./passing_file_system.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { SteppingClock } from "./stepping_clock.ts";
import { PATH } from "./test_store.ts";
import type { WriteHistory } from "./write_history.ts";

/** A copy that was made, or was being made when the machine stopped. */
export interface CopyMade {
  path: string;
  /** Whether it was said to be complete: then it stays so. */
  acknowledged: boolean;
  /** The version that it holds; undefined if that is not yet known. */
  version: number | undefined;
}

/** What {@link CrashCopies} work with. */
export interface CrashCopiesContext {
  random: SeededRandom;
  files: FileSystem;
  history: WriteHistory;
  clock: SteppingClock;
  /** What their paths begin with. */
  copyPrefix: string;
}

/** Makes copies of one life of a store. */
export class CrashCopies {
  /** Copies of this life. */
  readonly made: CopyMade[] = [];
  readonly #context: CrashCopiesContext;
  readonly #store: KvStore;
  readonly #calls: CrashCalls;

  constructor(context: CrashCopiesContext, store: KvStore, calls: CrashCalls) {
    this.#context = context;
    this.#store = store;
    this.#calls = calls;
  }

  /** Copies the store while it is being written to, and now and then makes a store of the copy. */
  backup(): void {
    const { random } = this.#context;
    const backup = this.#begin();
    const restores = random.chance(0.5);
    const call = this.#store.backup(backup.path).then(
      ({ version }) => {
        backup.version = version;
        backup.acknowledged = true;
        if (restores) this.#restore(backup);
      },
      (error) => this.#calls.tolerateClosing(error),
    );
    this.#calls.track(call);
  }

  /** Opens the store beside its writer, which must show a state of it, and change nothing. */
  look(): void {
    const { random, clock, files, history } = this.#context;
    const durable = history.promisedLsn;
    const opening = KvStore.open(PATH, {
      fileSystem: new FilesToRead(files),
      clock,
      random,
      readOnly: true,
    });
    const call = opening.then((reader) => {
      const { version } = reader.stats();
      assert(version >= durable, `a reader is at ${version}, but ${durable} is durable`);
      try {
        history.checkView((key) => reader.getEntrySync(key), version, clock.now());
      } finally {
        this.#calls.track(reader.close());
      }
    });
    this.#calls.track(call);
  }

  #restore({ path, version }: CopyMade): void {
    const { files: fileSystem, clock } = this.#context;
    const restored = this.#begin();
    restored.version = version;
    const call = KvStore.restore(path, restored.path, { fileSystem, clock }).then((report) => {
      assert.equal(report.version, version);
      restored.acknowledged = true;
    }, (error) => this.#calls.tolerateUnreadable(error));
    this.#calls.track(call);
  }

  #begin(): CopyMade {
    const path = `${this.#context.copyPrefix}-${this.made.length}`;
    const copy: CopyMade = { path, acknowledged: false, version: undefined };
    this.made.push(copy);
    return copy;
  }
}

/** Expects of a copy that does not open that it is not there, or says that it is no whole store. */
export async function assertNoStore(
  files: FileSystem,
  path: string,
  open: (readOnly: boolean) => Promise<KvStore>,
): Promise<void> {
  const log = `${path}/wal`;
  const names = files.stat(log) === undefined ? [] : files.readDirectory(log).sort();
  if (names.every((name) => name.endsWith(".tmp"))) return;
  for (const readOnly of [true, false]) {
    await assert.rejects(
      () => open(readOnly),
      (error) => error instanceof KvError && error.code === "CorruptLog",
      `${names} in ${path}`,
    );
  }
  assert.deepEqual(files.readDirectory(log).sort(), names);
}

/** Files that may only be read. */
class FilesToRead extends PassingFileSystem {
  override makeDirectory(path: string): void {
    refuse("make a directory", path);
  }

  override open(path: string, mode: OpenMode): File {
    return mode === "read" ? super.open(path, mode) : refuse(mode, path);
  }

  override rename(from: string): void {
    refuse("rename", from);
  }

  override unlink(path: string): void {
    refuse("remove", path);
  }

  override syncDirectory(path: string): void {
    refuse("sync", path);
  }

  override lock(path: string): FileLock | undefined {
    return refuse("lock", path);
  }
}

function refuse(what: string, path: string): never {
  throw new assert.AssertionError({ message: `a reader wants to ${what} ${path}` });
}
