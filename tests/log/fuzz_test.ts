/** Random and mutated bytes for everything that reads the log: it stops, and never goes astray. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_OK } from "../../lib/format/record.ts";
import { HintReader } from "../../lib/log/hint_reader.ts";
import { findDurableOffset } from "../../lib/log/recovery.ts";
import { SegmentReader } from "../../lib/log/segment_reader.ts";
import { SegmentScanner } from "../../lib/log/segment_scanner.ts";
import { framesOf } from "../support/frames.ts";
import { fuzz, longestAllocation, mutated, withLie } from "../support/fuzzing.ts";
import { memoryFile } from "../support/memory_file.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { NODE_ID, SegmentBuilder } from "../support/segment_builder.ts";

const TIMEOUT_MS = 120_000;

function segment(random: SeededRandom): Uint8Array {
  const builder = new SegmentBuilder();
  for (let count = random.between(1, 8); count > 0; count--) {
    if (random.chance(0.3)) builder.batch(["b", "c", "d"], "batch");
    else builder.record(`key ${count}`, "x".repeat(random.below(40)));
    if (random.chance(0.6)) builder.mark();
  }
  return builder.bytes;
}

/** Reads bytes in all ways; whatever they are, it ends, within their bounds. */
function readAll(bytes: Uint8Array): void {
  const file = memoryFile(bytes);
  const reader = new SegmentReader(file, 0, bytes.length);
  let end = 0;
  while (reader.next()) {
    assert.equal(reader.offset, end, "frames follow each other");
    end = reader.offset + reader.header.frameLength;
    assert(end <= bytes.length);
  }
  if (reader.status === FRAME_OK) assert.equal(end, bytes.length);
  const scanner = new SegmentScanner(file, bytes.length, { fileId: 1, nodeId: NODE_ID });
  let records = 0;
  if (scanner.readHeader()) { while (scanner.next()) records++; }
  assert(scanner.validEnd <= end && records <= bytes.length / 28);
  if (scanner.problem === undefined) assert.equal(scanner.validEnd, bytes.length);
  findDurableOffset(file, 1, scanner.validEnd, bytes.length);
  const hint = new HintReader(file);
  let entries = 0;
  while (hint.next()) entries++;
  assert(entries <= bytes.length / 21);
}

test("random bytes", { timeout: TIMEOUT_MS }, async () => {
  await fuzz(400, (random) => readAll(random.bytes(random.below(6000))));
});

test("bytes behind a valid beginning", { timeout: TIMEOUT_MS }, async () => {
  await fuzz(300, (random) => {
    const builder = new SegmentBuilder().raw(segment(random).subarray(59));
    readAll(builder.raw(random.bytes(random.below(300))).bytes);
  });
});

test("mutated segments", { timeout: TIMEOUT_MS }, async () => {
  await fuzz(1500, (random) => readAll(mutated(segment(random), random)));
});

test(
  "a mutated segment is read only as far as it is what was written",
  { timeout: TIMEOUT_MS },
  async () => {
    await fuzz(800, (random) => {
      const bytes = segment(random);
      const damaged = mutated(bytes, random);
      const scanner = new SegmentScanner(memoryFile(damaged), damaged.length, {
        fileId: 1,
        nodeId: NODE_ID,
      });
      if (scanner.readHeader()) { while (scanner.next()); }
      const { validEnd } = scanner;
      // A frame moved so that it fits again (an empty group cut out) would be read; nothing else.
      const same = damaged.subarray(0, validEnd)
        .every((byte, index) => byte === bytes[index]);
      assert(same || validEnd === 0, "something was read that was never written there");
      assert(validEnd === 0 || framesOf(bytes).some(({ end }) => end === validEnd));
    });
  },
);

test("segments that lie, with checksums that hold", { timeout: TIMEOUT_MS }, async () => {
  await fuzz(1500, (random) => readAll(withLie(segment(random), random)));
});

test("no more is allocated than the bytes are long", { timeout: TIMEOUT_MS }, async () => {
  const random = new SeededRandom(1);
  const input = Array.from({ length: 300 }, () => {
    const bytes = segment(random);
    return random.chance(0.5) ? mutated(bytes, random) : withLie(bytes, random);
  });
  const longestInput = Math.max(...input.map((bytes) => bytes.length));
  const longest = await longestAllocation(() => input.forEach(readAll));
  // The file in memory itself grows by doubling; a hint's buffer has room for its header as well.
  assert(longest <= 2 * longestInput + 64, `${longest} bytes were allocated`);
});
