/** The end of the log in shared memory: a frame is in it or in the file, whenever one looks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HIDDEN,
  IN_FILE,
  IN_TAIL,
  isSharedTail,
  SharedTailReader,
  SharedTailWriter,
} from "../../lib/log/shared_tail.ts";

const FILE_ID = 0xfffffff0;

function pair() {
  const writer = new SharedTailWriter();
  return { writer, reader: new SharedTailReader(writer.memory) };
}

test("shared tail: tells what is in the file, in it, or hidden", () => {
  const { writer, reader } = pair();
  const target = new Uint8Array(10);
  const copy = (fileId: number, offset: number, length: number) =>
    reader.copy(fileId, offset, length, () => target);
  writer.moveTo(FILE_ID, 1000);
  writer.append(Uint8Array.of(0, 0, 1, 2, 3), 2, 3);
  assert.equal(copy(FILE_ID, 1002, 3), IN_TAIL);
  assert.deepEqual([...target.subarray(0, 3)], [1, 2, 3]);
  assert.equal(copy(FILE_ID, 999, 1), IN_FILE);
  assert.equal(copy(FILE_ID - 1, 1002, 3), IN_FILE);
  assert(!writer.hides);
  writer.append(new Uint8Array(1 << 20), 5, (1 << 20) - 5);
  assert(!writer.hides);
  writer.append(new Uint8Array((1 << 20) + 1), 1 << 20, 1);
  assert(writer.hides);
  assert.equal(copy(FILE_ID, 1000 + (1 << 20), 1), HIDDEN);
  writer.moveTo(FILE_ID, 1000 + (1 << 20) + 1);
  assert(!writer.hides);
  assert.equal(copy(FILE_ID, 1000 + (1 << 20), 1), IN_FILE);
});

test("shared tail: what is copied while the tail moves on does not count", () => {
  const { writer, reader } = pair();
  writer.moveTo(1, 0);
  writer.append(Uint8Array.of(1, 2, 3), 0, 3);
  const target = new Uint8Array(3);
  let calls = 0;
  const where = reader.copy(1, 0, 3, () => {
    // The writer writes the buffer out and begins it anew, just before the bytes are copied.
    if (calls++ === 0) {
      writer.moveTo(1, 3);
      writer.append(Uint8Array.of(7, 8, 9), 0, 3);
    }
    return target;
  });
  assert.equal(where, IN_FILE);
  assert.equal(calls, 1);
});

test("shared tail: one that never comes to rest is no endless loop", () => {
  const { writer, reader } = pair();
  writer.moveTo(1, 0);
  Atomics.add(new Int32Array(writer.memory.control), 0, 1);
  assert.equal(reader.copy(1, 0, 3, () => new Uint8Array(3)), HIDDEN);
});

test("shared tail: only what can be one is taken for one", () => {
  const { memory } = new SharedTailWriter();
  assert(isSharedTail(memory));
  assert(isSharedTail(structuredClone(memory)));
  for (
    const other of [null, {}, 1, { ...memory, bytes: new SharedArrayBuffer(4) }, {
      ...memory,
      control: new ArrayBuffer(16),
    }]
  ) assert(!isSharedTail(other));
});
