/** How much of a segment will stay, in shared memory: whatever happens between two looks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isSharedDurable,
  SharedDurableReader,
  SharedDurableWriter,
} from "../../lib/log/shared_durable.ts";

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
