import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameRun } from "../../lib/format/frame_run.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  OP_DELETE,
  OP_SET,
  VALUE_LENGTH_OFFSET,
} from "../../lib/format/record.ts";
import { joined, withBitFlipped } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { SeededRandom } from "../support/seeded_random.ts";

function bufferOf(bytes: Uint8Array): ByteBuffer {
  const buffer = allocateBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

function framesOfLengths(lengths: number[], random = new SeededRandom(1)): Uint8Array[] {
  return lengths.map((length, index) => {
    const value = new Uint8Array(length);
    random.fill(value);
    return makeFrame(length === 0 ? OP_DELETE : OP_SET, index + 1, `key ${index}`, value);
  });
}

function checked(bytes: Uint8Array, start = 0, end = bytes.length): FrameRun {
  const run = new FrameRun();
  run.check(bufferOf(bytes), start, end);
  return run;
}

test("whole frames in a row are sound, whatever they are and wherever they begin", () => {
  const random = new SeededRandom(2);
  for (let round = 0; round < 200; round++) {
    const count = random.between(2, 40);
    const lengths = Array.from({ length: count }, () => random.between(0, 300));
    const frames = framesOfLengths(lengths, random);
    const before = random.between(0, 9);
    const bytes = joined(new Uint8Array(before).fill(7), ...frames);
    const run = checked(bytes, before);
    assert.equal(run.isSound, true, `round ${round}`);
    assert.equal(run.end, bytes.length);
  }
});

test("one damaged bit is enough, and the next run is judged by itself", () => {
  const frames = framesOfLengths([3, 0, 40]);
  const bytes = joined(...frames);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const run = checked(withBitFlipped(bytes, bit));
    // A length that is damaged in the last frame may leave it out.
    assert(!run.isSound || run.end <= bit >>> 3, `bit ${bit}`);
  }
  assert.equal(checked(bytes).isSound, true);
  assert.equal(checked(bytes).end, bytes.length);
});

test("damage in several frames does not make up for itself", () => {
  const frame = framesOfLengths([40])[0]!;
  const damaged = withBitFlipped(frame, 8 * 30);
  for (const row of [[damaged, damaged], [damaged, frame, damaged], Array(64).fill(damaged)]) {
    assert.equal(checked(joined(...row)).isSound, false);
  }
});

test("ends behind the last whole frame", () => {
  const frames = framesOfLengths([10, 20, 30, 40]);
  const bytes = joined(...frames);
  const ends = frames.map((_, index) => joined(...frames.slice(0, index + 1)).length);
  for (let end = ends[0]!; end <= bytes.length; end++) {
    const run = checked(bytes, 0, end);
    const whole = ends.filter((each) => each <= end).length;
    assert.equal(run.end, ends[whole - 1]);
    assert.equal(run.isSound, whole > 1, "one alone is for its own checksum");
  }
});

test("many frames are more than one run, and a long one is a run of its own", () => {
  const frames = framesOfLengths(Array(2000).fill(100));
  const bytes = joined(...frames);
  const buffer = bufferOf(bytes);
  const run = new FrameRun();
  let runs = 0;
  for (let at = 0; at < bytes.length; at = run.end) {
    run.check(buffer, at, bytes.length);
    assert.equal(run.isSound, true);
    assert(run.end > at);
    runs++;
  }
  assert(runs > 1 && runs < 100);
  const long = joined(...framesOfLengths([100_000, 5]));
  assert.equal(checked(long).isSound, false);
  assert.equal(checked(long).end, framesOfLengths([100_000])[0]!.length);
});

test("lengths that lie end the run", () => {
  const frames = framesOfLengths([10, 20, 30]);
  const bytes = joined(...frames);
  for (const length of [0, 11, 9, 2 ** 31, 2 ** 32 - 1]) {
    const damaged = bytes.slice();
    const at = frames[0]!.length + VALUE_LENGTH_OFFSET;
    new DataView(damaged.buffer).setUint32(at, length, true);
    const run = checked(damaged);
    assert.equal(run.isSound, false, `${length}`);
    assert(run.end >= frames[0]!.length && run.end <= bytes.length);
  }
});
