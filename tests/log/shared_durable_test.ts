/** How much of a segment will stay, in shared memory: whatever happens between two looks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  isSharedDurable,
  SharedDurableReader,
  SharedDurableWriter,
} from "../../lib/log/shared_durable.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { openInMemory, turn, until } from "../support/test_store.ts";

const FILE_ID = 0xfffffff0;
const SIZE = 10_000;
const size = () => SIZE;

function pair() {
  const writer = new SharedDurableWriter();
  return { writer, reader: new SharedDurableReader(writer.memory) };
}

/** Runs `look`, with `change` just before the atomic load of this number. */
function changedBefore(number: number, change: () => void, look: () => number): number {
  const load = Atomics.load;
  let loads = 0;
  Atomics.load = ((view: Int32Array, at: number) => {
    if (++loads === number) change();
    return load(view, at);
  }) as typeof Atomics.load;
  try {
    return look();
  } finally {
    Atomics.load = load;
  }
}

test("shared durable: the newest segment as far as it is durable, others whole", () => {
  const { writer, reader } = pair();
  writer.begin(FILE_ID, 40);
  assert.equal(reader.lengthToStay(FILE_ID, size), 40);
  assert.equal(reader.lengthToStay(FILE_ID - 1, size), SIZE);
  writer.extend(5000);
  assert.equal(reader.lengthToStay(FILE_ID, size), 5000);
  writer.begin(FILE_ID + 1, 50);
  assert.equal(reader.lengthToStay(FILE_ID, size), SIZE);
  assert.equal(reader.lengthToStay(FILE_ID + 1, size), 50);
});

test("shared durable: never more than will stay, whenever segments are begun", () => {
  for (const number of [1, 2, 3]) {
    // The second one is the newest soon, and so may get longer than the first has become.
    const { writer, reader } = pair();
    writer.begin(1, 3000);
    const change = () => {
      writer.begin(2, 40);
      writer.extend(20_000);
    };
    const length = changedBefore(number, change, () => reader.lengthToStay(1, size));
    assert(length <= SIZE, `${length} before load ${number}`);
  }
});

test("shared durable: a new segment's length is told before its id", () => {
  const { writer, reader } = pair();
  writer.begin(1, 3000);
  const store = Atomics.store;
  const seen: number[] = [];
  Atomics.store = ((view: Int32Array, at: number, value: number) => {
    const stored = store(view, at, value);
    seen.push(reader.lengthToStay(2, () => 40));
    return stored;
  }) as typeof Atomics.store;
  try {
    writer.begin(2, 40);
  } finally {
    Atomics.store = store;
  }
  assert.deepEqual(seen, [40, 40]);
});

test("shared durable: what can be such memory", () => {
  assert(isSharedDurable(pair().writer.memory));
  for (const each of [undefined, null, {}, new ArrayBuffer(8), new SharedArrayBuffer(4)]) {
    assert(!isSharedDurable(each));
  }
});

test("an fsync that ends when its segment is closed says nothing of the next", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  const { durable } = store.share();
  const reader = new SharedDurableReader(durable);
  using gate = new Gate();
  fs.beforeSyncAsync = (path) => path.endsWith("0000000001.log") ? gate.pass() : undefined;
  const writes = [store.set("a", new Uint8Array(1500)), store.set("b", new Uint8Array(1500))];
  await until("their fsync is under way", () => gate.waiting > 0);
  // Whoever blocks closes the segment over its head.
  store.setSync("c", new Uint8Array(1500));
  assert.equal(store.stats().segments, 2);
  const length = reader.lengthToStay(2, () => assert.fail("it is the newest"));
  assert(length > 1500 && length < 2000, `${length}`);
  gate.open();
  await Promise.all(writes);
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(reader.lengthToStay(2, () => 0), length);
});
