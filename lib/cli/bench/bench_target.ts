/** What is measured: a directory that is made for it, one that exists, or a server. */

import { type BatchOp, type Durability, KvStore } from "../../mod.ts";
import { openOrCreate, requireStore } from "../open_store.ts";
import type { ServerTarget } from "../target/server_target.ts";
import { makeScratch, type ScratchDirectory } from "./scratch_directory.ts";

/** What workloads need of a store. */
export interface BenchTarget extends AsyncDisposable {
  /** What it is, for the head of the table. */
  readonly name: string;
  /** Whether a read is answered at once: several in flight would only wait for each other. */
  readonly readsAtOnce: boolean;
  get(key: string): Promise<unknown>;
  set(key: string, value: Uint8Array): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  /** Reads so many entries in order, from `start` on; resolves to how many there were. */
  scan(prefix: string, start: string, limit: number): Promise<number>;
  /** Writes much at once. */
  load(entries: readonly BenchEntry[]): Promise<void>;
  /** Removes every key that begins with `prefix`; `check` is called now and then, and may throw. */
  clear(prefix: string, check: () => void): Promise<void>;
  /** Whether a write is durable when it is answered. `key` is written to find out. */
  isDurable(key: string): Promise<boolean>;
}

/** What {@link BenchTarget.load} writes. */
export interface BenchEntry {
  key: string;
  value: Uint8Array;
}

const DELETES_AT_ONCE = 2000;
const PROBES = 5;

/** A directory that exists. */
export class DirectoryBench implements BenchTarget {
  readonly readsAtOnce = true;
  readonly name: string;
  protected store: KvStore;

  /** Measures an open store. */
  constructor(name: string, store: KvStore) {
    this.name = name;
    this.store = store;
  }

  /** Opens the store that there is. */
  static async open(path: string, durability: Durability): Promise<DirectoryBench> {
    requireStore(path);
    return new DirectoryBench(`the store in ${path}`, await openOrCreate(path, { durability }));
  }

  get(key: string): Promise<unknown> {
    return this.store.get(key);
  }

  set(key: string, value: Uint8Array): Promise<unknown> {
    return this.store.set(key, value);
  }

  delete(key: string): Promise<unknown> {
    return this.store.delete(key);
  }

  async scan(prefix: string, start: string, limit: number): Promise<number> {
    let count = 0;
    for await (const _entry of this.store.scan({ prefix, start, limit })) count++;
    return count;
  }

  async load(entries: readonly BenchEntry[]): Promise<void> {
    await this.store.batch(entries.map(({ key, value }) => ({ op: "set", key, value })));
  }

  async clear(prefix: string, check: () => void): Promise<void> {
    for await (const keys of keysOf(this.store.scan({ prefix, values: false }))) {
      check();
      await this.store.batch(keys.map((key): BatchOp => ({ op: "del", key })));
    }
  }

  async isDurable(key: string): Promise<boolean> {
    const { version } = await this.store.set(key, "");
    return this.store.stats().durableVersion >= version;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.store.close();
  }
}

/** A directory of its own, which is gone afterwards. */
export class ScratchBench extends DirectoryBench {
  readonly #scratch: ScratchDirectory;
  readonly #durability: Durability;

  private constructor(scratch: ScratchDirectory, store: KvStore, durability: Durability) {
    super(`a scratch directory in ${scratch.parent}`, store);
    this.#scratch = scratch;
    this.#durability = durability;
  }

  /** Makes the directory. */
  static async make(durability: Durability): Promise<ScratchBench> {
    const scratch = makeScratch();
    try {
      return new ScratchBench(
        scratch,
        await KvStore.open(scratch.path, { durability }),
        durability,
      );
    } catch (error) {
      scratch.remove();
      throw error;
    }
  }

  /** A store that is new has nothing to compact. */
  override async clear(): Promise<void> {
    await this.store.close();
    this.#scratch.remove();
    this.store = await KvStore.open(this.#scratch.path, { durability: this.#durability });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      await super[Symbol.asyncDispose]();
    } finally {
      this.#scratch.remove();
    }
  }
}

/** A server. */
export class ServerBench implements BenchTarget {
  readonly readsAtOnce = false;
  readonly name: string;
  readonly #server: ServerTarget;

  /** Measures it from this process. */
  constructor(server: ServerTarget) {
    this.#server = server;
    this.name = `the server ${server.place}`;
  }

  get(key: string): Promise<unknown> {
    return this.#server.getEntry(key);
  }

  set(key: string, value: Uint8Array): Promise<unknown> {
    return this.#server.set(key, value, {});
  }

  delete(key: string): Promise<unknown> {
    return this.#server.delete(key);
  }

  async scan(prefix: string, start: string, limit: number): Promise<number> {
    let count = 0;
    for await (const _entry of this.#server.scan({ prefix, start, limit })) count++;
    return count;
  }

  async load(entries: readonly BenchEntry[]): Promise<void> {
    await this.#server.load(entries);
  }

  async clear(prefix: string, check: () => void): Promise<void> {
    for await (const keys of keysOf(this.#server.scan({ prefix, values: false }))) {
      check();
      await this.#server.deleteAll(keys);
    }
  }

  async isDurable(key: string): Promise<boolean> {
    // What was durable soon after may have become so meanwhile: five times that is no chance.
    for (let probe = 0; probe < PROBES; probe++) {
      const { version } = await this.#server.set(key, "", {});
      if ((await this.#server.stats()).durableVersion < version) return false;
    }
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

/** The keys of a scan, many at once. */
async function* keysOf(entries: AsyncIterable<{ key: string }>): AsyncGenerator<string[], void> {
  let keys: string[] = [];
  for await (const { key } of entries) {
    if (keys.push(key) < DELETES_AT_ONCE) continue;
    yield keys;
    keys = [];
  }
  if (keys.length > 0) yield keys;
}
