import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWindow } from "../../lib/server/tcp/byte_window.ts";
import { SeededRandom } from "../support/seeded_random.ts";

test("window: holds what was appended and not consumed, in memory of its order", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new SeededRandom(seed);
    const window = new ByteWindow();
    let expected: number[] = [];
    let next = 0;
    for (let step = 0; step < 300; step++) {
      const action = random.below(4);
      if (action < 2) {
        const chunk = Uint8Array.from(
          { length: random.pick([1, 10, 500, 5000]) },
          () => next++ & 0xff,
        );
        window.append(chunk, random.pick([0, 100, 1_000_000]));
        expected.push(...chunk);
      } else if (action === 2) {
        const count = random.below(expected.length + 1);
        window.consume(count);
        expected = expected.slice(count);
      } else window.compact();
      const { bytes, start, end } = window;
      assert.deepEqual(Array.from(bytes.subarray(start, end)), expected, `seed ${seed}`);
      if (expected.length === 0) assert.equal(window.held, 0);
    }
  }
});

test("window: a chunk of one command is not copied", () => {
  const window = new ByteWindow();
  const chunk = new Uint8Array(100);
  window.append(chunk, 0);
  assert.equal(window.bytes, chunk);
  window.consume(100);
  assert.equal(window.held, 0);
});

test("window: a little that is left of a long chunk does not keep it", () => {
  const window = new ByteWindow();
  window.append(new Uint8Array(500_000), 0);
  window.consume(499_990);
  window.compact();
  assert.deepEqual([window.length, window.held], [10, 4096]);
});

test("window: many single bytes are copied a few times each", () => {
  const window = new ByteWindow();
  const memories = new Set<ArrayBufferLike>();
  for (let count = 0; count < 50_000; count++) {
    window.append(Uint8Array.of(1), 0);
    memories.add(window.bytes.buffer);
  }
  assert(memories.size < 10, `${memories.size}`);
  assert(window.held <= 100_000);
});
