/** A disk that is as slow as a test wants: it syncs what it is asked to through the thread pool when told so. */

import assert from "node:assert/strict";
import { basename } from "node:path";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { Durability } from "../../lib/store/types.ts";
import { FaultyFileSystem } from "./faulty_file_system.ts";
import { Gate, InterceptingFileSystem } from "./intercepting_file_system.ts";
import { LAZY, openInMemory, PATH, pattern, turn, until } from "./test_store.ts";

/** Bytes of a segment. */
export const MAX = 1 << 20;
/** The fsyncs of a rotation, in their order. */
export const STEPS = ["0000000001.log", "0000000002.log", "wal", "ACTIVE.tmp", "wal"];

/** Fsyncs through the thread pool wait until they are let through, one by one. */
export class SteppedDisk implements Disposable {
  readonly faulty = new FaultyFileSystem(new MemoryFileSystem());
  readonly fs = new InterceptingFileSystem(this.faulty);
  /** Those that wait, but for those of hint files. */
  readonly waiting: { name: string; gate: Gate; fails: boolean }[] = [];
  /** Where those of hint files wait. */
  readonly hints = new Gate();

  /** From now on; what is done before is let through. */
  hold(): void {
    this.faulty.calls.length = 0;
    this.fs.beforeSyncAsync = async (path) => {
      if (path.endsWith(".hint.tmp")) return this.hints.pass();
      const call = { name: basename(path), gate: new Gate(), fails: false };
      this.waiting.push(call);
      await call.gate.pass();
      if (call.fails) throw ioError("sync", path, new SystemError("EIO", "the disk fails"));
    };
  }

  /** Waits until an fsync of this file or directory is asked for, and the only one. */
  async expect(name: string): Promise<void> {
    await until(`an fsync of ${name}`, () => this.waiting.length > 0);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(this.waiting.map((call) => call.name), [name]);
  }

  /** Lets the first of them through. */
  pass(fails = false): void {
    const call = this.waiting.shift()!;
    call.fails = fails;
    call.gate.open();
  }

  /** Lets everything through from now on. */
  release(): void {
    this.fs.beforeSyncAsync = () => {};
    this.hints.open();
    while (this.waiting.length > 0) this.pass();
  }

  /** So that a test that fails can close its store. */
  [Symbol.dispose](): void {
    this.release();
  }

  size(fileId: number): number {
    return this.fs.stat(`${PATH}/wal/000000000${fileId}.log`)!.size;
  }

  /** What has become durable, in order. */
  get syncs(): string[] {
    return this.faulty.calls.filter((call) => call.startsWith("sync"))
      .map((call) => call.split(" ")[1]!);
  }
}

/** A store whose next write of more than half a segment begins a new one. */
export async function openFull(disk: SteppedDisk, durability: Durability = LAZY): Promise<KvStore> {
  const store = await openInMemory({ durability, segmentBytesMax: MAX }, disk.fs);
  await store.set("old", pattern(MAX / 2 + 1, 1));
  await store.flush();
  disk.hold();
  return store;
}
