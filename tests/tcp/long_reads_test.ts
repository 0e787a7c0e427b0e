import assert from "node:assert/strict";
import { test } from "node:test";
import { LongReads } from "../../lib/server/tcp/long_reads.ts";

const soon = () => new Promise((resolve) => setImmediate(resolve));

test("long reads: no more bytes at once than may be, in turn, also behind one that failed", async () => {
  const reads = new LongReads(100);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const read = (number: number, byteLength: number) =>
    reads.read(byteLength, () => {
      begun.push(number);
      return new Promise<number>((resolve, reject) => {
        ends[number] = () => number === 1 ? reject(new Error("no")) : resolve(number);
      });
    }, () => false).catch(() => -1);
  const all = Promise.all([
    read(0, 60),
    read(1, 40),
    read(2, 30),
    read(3, 500),
    read(4, 10),
    read(5, 10),
  ]);
  assert.deepEqual(begun, [0, 1]);
  for (
    const [end, expected] of [
      [1, [0, 1, 2]],
      [0, [0, 1, 2]],
      [2, [0, 1, 2, 3]],
      [3, [0, 1, 2, 3, 4, 5]],
    ] as const
  ) {
    ends[end]!();
    await soon();
    assert.deepEqual(begun, expected);
  }
  ends[4]!();
  ends[5]!();
  assert.deepEqual(await all, [0, -1, 2, 3, 4, 5]);
});
