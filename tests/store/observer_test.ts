import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { CompactionEvent, StoreObserver, SyncEvent } from "../../lib/mod.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { LAZY, MemoryLogger, openInMemory } from "../support/test_store.ts";

/** Keeps what it is told. */
class Recorder implements StoreObserver {
  readonly syncs: SyncEvent[] = [];
  readonly compactions: CompactionEvent[] = [];
  readonly failures: Error[] = [];

  onSync(event: SyncEvent): void {
    this.syncs.push(event);
  }

  onCompaction(event: CompactionEvent): void {
    this.compactions.push(event);
  }

  onWriteFailure(error: Error): void {
    this.failures.push(error);
  }

  get writes(): number[] {
    return this.syncs.map(({ writes }) => writes).filter((writes) => writes > 0);
  }
}

test("onSync: how many writes shared the fsync, and how many bytes it made durable", async () => {
  const observer = new Recorder();
  const store = await openInMemory({ observer });
  const bytesBefore = store.stats().totalBytes;
  const syncsBefore = observer.syncs.length; // a new store is sealed
  await Promise.all(["a", "b", "c"].map((key) => store.set(key, "1")));
  assert.deepEqual(observer.writes, [3]);
  await store.batch([{ op: "set", key: "d", value: "2" }, { op: "del", key: "a" }]);
  store.setSync("e", "3");
  assert.deepEqual(observer.writes, [3, 2, 1]);
  assert.equal(
    observer.syncs.slice(syncsBefore).reduce((sum, { bytes }) => sum + bytes, 0),
    store.stats().totalBytes - bytesBefore,
  );
  assert(observer.syncs.every(({ durationMs }) => durationMs >= 0));
  assert.equal(observer.syncs.length, store.stats().syncs);
  await store.close();
});

test("onSync: with batch durability, at flush and at the end of a segment", async () => {
  const observer = new Recorder();
  const store = await openInMemory({ observer, durability: LAZY, segmentBytesMax: 4096 });
  for (let number = 0; number < 5; number++) store.setSync(`key ${number}`, "x".repeat(1000));
  await store.flush();
  assert.equal(observer.writes.reduce((sum, each) => sum + each, 0), 5);
  assert(observer.writes.length >= 2, "one of them when the segment was full");
  await store.close();
});

test("onCompaction: what it gave back", async () => {
  const observer = new Recorder();
  const store = await openInMemory({ observer });
  for (let number = 0; number < 20; number++) await store.set("same", "x".repeat(100));
  const { bytesReclaimed } = await store.compact();
  assert(bytesReclaimed > 0);
  assert.equal(observer.compactions.length, 1);
  const [event] = observer.compactions;
  assert.equal(event!.succeeded, true);
  assert.equal(event!.bytesReclaimed, bytesReclaimed);
  await store.close();
});

test("onWriteFailure: once, and no onSync for what failed", async () => {
  const observer = new Recorder();
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory({ observer }, fs);
  await store.set("a", "1");
  const { length } = observer.syncs;
  fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  await failsWith("Io", /EIO|i\/o|input/i, () => store.set("b", "2"));
  await failsWith("Io", /takes no more writes/, () => store.set("c", "3"));
  assert.equal(observer.failures.length, 1);
  assert.equal(observer.syncs.length, length);
  await store.close().catch(() => {});
});

test("an observer that throws is logged and harms nothing", async () => {
  const logger = new MemoryLogger();
  const observer: StoreObserver = {
    onSync: () => {
      throw new Error("no use");
    },
  };
  const store = await openInMemory({ observer, logger });
  await store.set("a", "1");
  assert.equal(new TextDecoder().decode(await store.get("a")), "1");
  assert.match(logger.troubles.join("\n"), /The store's observer threw in \{name\}.*onSync/);
  await store.close();
});

test("what is no observer is refused", async () => {
  for (const observer of [null, 1, "x", { onSync: 1 }, { onCompaction: "x" }]) {
    await failsWith(
      "InvalidArgument",
      /observer is .*: it must be an observer with any of onSync/,
      () => openInMemory({ observer: observer as unknown as StoreObserver }),
    );
  }
  await (await openInMemory({ observer: {} })).close();
});
