import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWindow } from "../../lib/server/tcp/byte_window.ts";
import { SeededRandom } from "../support/seeded_random.ts";

test("window: holds what was appended and not consumed, in memory of its order", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new SeededRandom(seed);
    const window = new ByteWindow();
    let consumed = 0;
    let appended = 0;
    for (let step = 0; step < 200; step++) {
      const action = random.below(4);
      if (action < 2) {
        const chunk = new Uint8Array(random.pick([1, 10, 500, 5000]));
        chunk.forEach((_, index) => chunk[index] = (appended + index) % 251);
        window.append(chunk, random.pick([0, 100, 1_000_000]));
        appended += chunk.length;
      } else if (action === 2) {
        const count = random.below(window.length + 1);
        window.consume(count);
        consumed += count;
      } else window.compact();
      const { bytes, start, length } = window;
      assert.equal(length, appended - consumed);
      let at = 0;
      while (at < length && bytes[start + at] === (consumed + at) % 251) at++;
      assert.equal(at, length, `seed ${seed}, step ${step}`);
      if (length === 0) assert.equal(window.held, 0);
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
