import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FRAME_BAD_CRC,
  FRAME_BAD_FIELD,
  FRAME_BAD_MAGIC,
  FRAME_BAD_OP,
  FRAME_BAD_VERSION,
  FRAME_OK,
  FRAME_OVERHEAD_BYTES,
  FRAME_SHORT,
  KEY_LENGTH_OFFSET,
  MAGIC_OFFSET,
  OP_OFFSET,
  VALUE_LENGTH_OFFSET,
  VERSION_OFFSET,
} from "../../lib/format/record.ts";
import { SegmentReader } from "../../lib/log/segment_reader.ts";
import { withBitFlipped } from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";

function frameStarts(reader: SegmentReader): number[] {
  const starts: number[] = [];
  while (reader.next()) starts.push(reader.offset);
  return starts;
}

function small(): Uint8Array {
  return new SegmentBuilder().record("a", "1").batch(["b", "c"], "23").mark().record("d").bytes;
}

test("reads every frame to the end", () => {
  const bytes = small();
  const reader = new SegmentReader(memoryFile(bytes), 0, bytes.length);
  assert.deepEqual(frameStarts(reader), framesOf(bytes).map(({ offset }) => offset));
  assert.equal(reader.status, FRAME_OK);
  assert.equal(reader.next(), false, "the end stays the end");
});

test("reads frames longer than its buffer, and those that cross its edge", () => {
  const builder = new SegmentBuilder();
  const lengths = [10, 1 << 20, (1 << 20) - 50, 3 << 20, 0, 700_000, 700_000];
  for (const [index, length] of lengths.entries()) {
    builder.record(`key ${index}`, "x".repeat(length));
  }
  const { bytes } = builder;
  const reader = new SegmentReader(memoryFile(bytes), 0, bytes.length);
  assert.deepEqual(frameStarts(reader), framesOf(bytes).map(({ offset }) => offset));
  assert.equal(reader.status, FRAME_OK);
});

test("short reads are no end", () => {
  const bytes = small();
  const random = new SeededRandom(5);
  const file = shortened(memoryFile(bytes), (wanted) => random.between(1, Math.min(7, wanted)));
  const reader = new SegmentReader(file, 0, bytes.length);
  assert.equal(frameStarts(reader).length, framesOf(bytes).length);
  assert.equal(reader.status, FRAME_OK);
});

test("stops before a frame that is cut off, at every length", () => {
  const bytes = small();
  for (let length = 0; length <= bytes.length; length++) {
    const whole = framesOf(bytes).filter(({ end }) => end <= length);
    const reader = new SegmentReader(memoryFile(bytes.subarray(0, length)), 0, length);
    assert.equal(frameStarts(reader).length, whole.length);
    const isEnd = length === (whole.at(-1)?.end ?? 0);
    assert.equal(reader.status, isEnd ? FRAME_OK : FRAME_SHORT);
  }
});

test("a file that gets shorter while it is read ends early", () => {
  const bytes = small();
  const file = memoryFile(bytes.subarray(0, bytes.length - 5));
  const reader = new SegmentReader(file, 0, bytes.length);
  assert.equal(frameStarts(reader).length, framesOf(bytes).length - 1);
  assert.equal(reader.status, FRAME_SHORT);
});

test("says what is wrong with a frame", () => {
  const cases: [at: number, status: number][] = [
    [MAGIC_OFFSET, FRAME_BAD_MAGIC],
    [VERSION_OFFSET, FRAME_BAD_VERSION],
    [OP_OFFSET, FRAME_BAD_FIELD],
    [FRAME_OVERHEAD_BYTES, FRAME_BAD_CRC],
    [KEY_LENGTH_OFFSET + 3, FRAME_BAD_FIELD],
    [VALUE_LENGTH_OFFSET + 3, FRAME_SHORT],
  ];
  const bytes = small();
  const { offset } = framesOf(bytes)[1]!;
  for (const [at, status] of cases) {
    const damaged = withBitFlipped(bytes, 8 * (offset + at));
    const reader = new SegmentReader(memoryFile(damaged), 0, damaged.length);
    assert.deepEqual(frameStarts(reader), [0]);
    assert.equal(reader.status, status, `byte ${at}`);
    assert.equal(reader.offset, offset);
  }
  const unknown = withBitFlipped(bytes, 8 * (offset + OP_OFFSET) + 6);
  const reader = new SegmentReader(memoryFile(unknown), 0, unknown.length);
  assert.deepEqual(frameStarts(reader), [0]);
  assert.equal(reader.status, FRAME_BAD_OP);
});

test("every bit of a frame counts", () => {
  const bytes = small();
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = withBitFlipped(bytes, bit);
    const reader = new SegmentReader(memoryFile(damaged), 0, damaged.length);
    const seen = frameStarts(reader).length;
    assert.notEqual(reader.status, FRAME_OK, `bit ${bit}`);
    assert.equal(seen, framesOf(bytes).filter(({ end }) => end <= bit >>> 3).length);
  }
});

test("damage is found at its frame, however many there are", () => {
  const builder = new SegmentBuilder();
  for (let i = 0; i < 900; i++) builder.record(`key ${i}`, "x".repeat(100));
  const { bytes } = builder;
  const frames = framesOf(bytes);
  for (let i = 0; i < frames.length; i += 17) {
    const { offset, end } = frames[i]!;
    const damaged = withBitFlipped(bytes, 8 * (end - 50));
    const reader = new SegmentReader(memoryFile(damaged), 0, damaged.length);
    assert.equal(frameStarts(reader).length, i);
    assert.equal(reader.status, FRAME_BAD_CRC);
    assert.equal(reader.offset, offset);
  }
});

test("hostile lengths are refused before there is a buffer for them", () => {
  const lengths = [0, 1, 65_536, 65_537, 1 << 30, (1 << 30) + 1, 2 ** 31, 2 ** 32 - 1];
  for (let op = 0; op < 6; op++) {
    for (const keyLength of lengths) {
      for (const valueLength of lengths) {
        const bytes = new SegmentBuilder().record("key", "value").bytes;
        const at = framesOf(bytes)[1]!.offset;
        const view = new DataView(bytes.buffer);
        view.setUint8(at + OP_OFFSET, op);
        view.setUint32(at + KEY_LENGTH_OFFSET, keyLength, true);
        view.setUint32(at + VALUE_LENGTH_OFFSET, valueLength, true);
        const reader = new SegmentReader(memoryFile(bytes), 0, bytes.length);
        const buffer = reader.buffer;
        assert.deepEqual(frameStarts(reader), [0]);
        assert.notEqual(reader.status, FRAME_OK, `op ${op}, ${keyLength} and ${valueLength}`);
        assert.equal(reader.buffer, buffer, "nothing was allocated");
        assert(reader.buffer.bytes.length <= bytes.length);
      }
    }
  }
});

test("allocates no more than the file is long", () => {
  for (const length of [1, 30, 31, 100, 5000, 3 << 20]) {
    const bytes = new Uint8Array(length).fill(0xf1);
    const reader = new SegmentReader(memoryFile(bytes), 0, length);
    assert.deepEqual(frameStarts(reader), []);
    assert(reader.buffer.bytes.length <= Math.max(length, FRAME_OVERHEAD_BYTES));
  }
});
