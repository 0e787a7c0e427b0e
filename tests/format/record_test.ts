/** The record frame: what is encoded is decoded, and nothing else is taken for a frame. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../../lib/format/crc32.ts";
import * as record from "../../lib/format/record.ts";
import { KEY_BYTES_LIMIT, LSN_LIMIT, VALUE_BYTES_LIMIT } from "../../lib/limits.ts";

const { allocateBuffer, FrameHeader } = record;

const STORED_VALUE_BYTES: Record<number, number> = {
  [record.OP_DELETE]: 0,
  [record.OP_BATCH]: record.BATCH_VALUE_BYTES,
  [record.OP_SYNC]: record.SYNC_VALUE_BYTES,
  [record.OP_SEGMENT]: record.SEGMENT_VALUE_BYTES,
};

/** A frame at `at` of a buffer that is otherwise full of `0xaa`. */
function makeFrame(at: number, op: number, lsn: number, key: Uint8Array, value: Uint8Array) {
  const length = record.frameLengthOf(key.length, value.length);
  const buffer = allocateBuffer(at + length + 5);
  buffer.bytes.fill(0xaa);
  record.writeFrameHeader(buffer.view, at, op, lsn, key.length, value.length);
  buffer.bytes.set(key, at + record.FRAME_HEADER_BYTES);
  buffer.bytes.set(value, at + record.FRAME_HEADER_BYTES + key.length);
  const crc = record.finishFrame(buffer, at, length);
  return { buffer, length, crc };
}

/** Recomputes the checksum, so that a change is judged by itself. */
function seal(buffer: record.ByteBuffer, length: number): void {
  buffer.view.setUint32(length - 4, crc32(buffer.bytes, record.OP_OFFSET, length - 4), true);
}

const frames = fc.record({
  at: fc.nat(9),
  op: fc.integer({ min: 0, max: record.OP_MAX }),
  lsn: fc.oneof(fc.nat(), fc.integer({ min: 0, max: LSN_LIMIT }), fc.constant(LSN_LIMIT)),
  key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  value: fc.uint8Array({ minLength: 8, maxLength: 60 }),
}).map(({ at, op, lsn, key, value }) => {
  const isData = record.isDataOp(op);
  const stored = op in STORED_VALUE_BYTES
    ? new Uint8Array(STORED_VALUE_BYTES[op]!).fill(value[0]!)
    : value;
  return { at, op, lsn, key: isData ? key : new Uint8Array(0), value: stored };
});

test("what is encoded is decoded again, wherever it lies in a buffer", () => {
  fc.assert(fc.property(frames, ({ at, op, lsn, key, value }) => {
    const { buffer, length, crc } = makeFrame(at, op, lsn, key, value);
    const header = new FrameHeader();
    assert.equal(record.decodeFrame(buffer, at, length, header), record.FRAME_OK);
    assert.equal(record.decodeFrame(buffer, at, length + 5, header), record.FRAME_OK);
    assert.deepEqual({ ...header }, {
      op,
      lsn,
      keyLength: key.length,
      storedValueLength: value.length,
      frameLength: length,
    });
    assert.equal(record.readFrameCrc(buffer.view, at, length), crc);
    assert.equal(record.computeFrameCrc(buffer.bytes, at, length), crc);
    // Nothing beside the frame was written.
    assert(buffer.bytes.subarray(0, at).every((byte) => byte === 0xaa));
    assert(buffer.bytes.subarray(at + length).every((byte) => byte === 0xaa));
  }));
});

test("a frame that is cut short anywhere is short, and nothing is read beyond its end", () => {
  fc.assert(
    fc.property(frames, ({ at, op, lsn, key, value }) => {
      const { buffer, length } = makeFrame(at, op, lsn, key, value);
      const header = new FrameHeader();
      for (let available = 0; available < length; available++) {
        assert.equal(record.decodeFrame(buffer, at, available, header), record.FRAME_SHORT);
      }
    }),
    { numRuns: 30 },
  );
});

test("every flipped bit of a frame is noticed", () => {
  fc.assert(
    fc.property(frames, ({ at, op, lsn, key, value }) => {
      const { buffer, length } = makeFrame(at, op, lsn, key, value);
      const header = new FrameHeader();
      for (let bit = 0; bit < length * 8; bit++) {
        buffer.bytes[at + (bit >>> 3)]! ^= 1 << (bit & 7);
        assert.notEqual(record.decodeFrame(buffer, at, length, header), record.FRAME_OK, `${bit}`);
        buffer.bytes[at + (bit >>> 3)]! ^= 1 << (bit & 7);
      }
      assert.equal(record.decodeFrame(buffer, at, length, header), record.FRAME_OK);
    }),
    { numRuns: 20 },
  );
});

test("each field is held against what it may be, before any length is believed", () => {
  const header = new FrameHeader();
  const cases: [string, (view: DataView) => void, record.FrameStatus][] = [
    ["magic", (view) => view.setUint32(0, 0x4e5243f0, true), record.FRAME_BAD_MAGIC],
    ["zero header", (view) => new Uint8Array(view.buffer).fill(0), record.FRAME_BAD_MAGIC],
    ["version 0", (view) => view.setUint16(4, 0, true), record.FRAME_BAD_VERSION],
    ["version 2", (view) => view.setUint16(4, 2, true), record.FRAME_BAD_VERSION],
    ["op 6", (view) => view.setUint8(6, 6), record.FRAME_BAD_OP],
    ["op 255", (view) => view.setUint8(6, 255), record.FRAME_BAD_OP],
    ["LSN of 2^48", (view) => view.setUint16(13, 1, true), record.FRAME_BAD_FIELD],
    ["LSN of 2^64 - 1", (view) => {
      view.setUint32(7, 0xffffffff, true);
      view.setUint32(11, 0xffffffff, true);
    }, record.FRAME_BAD_FIELD],
    ["key of 0", (view) => view.setUint32(15, 0, true), record.FRAME_BAD_FIELD],
    [
      "key too long",
      (view) => view.setUint32(15, KEY_BYTES_LIMIT + 1, true),
      record.FRAME_BAD_FIELD,
    ],
    ["key of 4 GiB", (view) => view.setUint32(15, 0xffffffff, true), record.FRAME_BAD_FIELD],
    ["longest key", (view) => view.setUint32(15, KEY_BYTES_LIMIT, true), record.FRAME_SHORT],
    [
      "value too long",
      (view) => view.setUint32(19, VALUE_BYTES_LIMIT + 1, true),
      record.FRAME_BAD_FIELD,
    ],
    ["value of 4 GiB", (view) => view.setUint32(19, 0xffffffff, true), record.FRAME_BAD_FIELD],
    ["longest value", (view) => view.setUint32(19, VALUE_BYTES_LIMIT, true), record.FRAME_SHORT],
    ["value one longer", (view) => view.setUint32(19, 4, true), record.FRAME_SHORT],
    ["value one shorter", (view) => view.setUint32(19, 2, true), record.FRAME_BAD_CRC],
    ["a delete with a value", (view) => view.setUint8(6, 1), record.FRAME_BAD_FIELD],
    ["an expiring set without expiry", (view) => view.setUint8(6, 2), record.FRAME_BAD_FIELD],
    ["a batch with a key", (view) => view.setUint8(6, 3), record.FRAME_BAD_FIELD],
    ["a mark with a key", (view) => view.setUint8(6, 4), record.FRAME_BAD_FIELD],
    ["a segment with a key", (view) => view.setUint8(6, 5), record.FRAME_BAD_FIELD],
  ];
  for (const [what, change, expected] of cases) {
    const { buffer, length } = makeFrame(0, record.OP_SET, 7, Uint8Array.of(97), pattern3());
    change(buffer.view);
    if (expected !== record.FRAME_BAD_CRC) seal(buffer, length);
    assert.equal(record.decodeFrame(buffer, 0, length, header), expected, what);
  }
});

function pattern3(): Uint8Array {
  return Uint8Array.of(1, 2, 3);
}

test("lengths at their limits, and one beyond, of every operation", () => {
  const buffer = allocateBuffer(record.FRAME_OVERHEAD_BYTES);
  const status = (op: number, keyLength: number, valueLength: number) => {
    record.writeFrameHeader(buffer.view, 0, op, 1, keyLength, valueLength);
    return record.decodeFrameHeader(buffer.view, 0, 2 ** 31, new FrameHeader());
  };
  const cases: [op: number, keys: [number, number], values: [number, number]][] = [
    [record.OP_SET, [1, KEY_BYTES_LIMIT], [0, VALUE_BYTES_LIMIT]],
    [record.OP_DELETE, [1, KEY_BYTES_LIMIT], [0, 0]],
    [record.OP_SET_EXPIRING, [1, KEY_BYTES_LIMIT], [8, VALUE_BYTES_LIMIT + 8]],
    [record.OP_BATCH, [0, 0], [8, 8]],
    [record.OP_SYNC, [0, 0], [20, 20]],
    [record.OP_SEGMENT, [0, 0], [32, 32]],
  ];
  for (const [op, [keyMin, keyMax], [valueMin, valueMax]] of cases) {
    for (const key of [keyMin, keyMax]) {
      for (const value of [valueMin, valueMax]) {
        assert.equal(status(op, key, value), record.FRAME_OK, `${op} ${key} ${value}`);
      }
    }
    const wrong = [[keyMax + 1, valueMin], [keyMin, valueMax + 1]];
    if (keyMin > 0) wrong.push([keyMin - 1, valueMin]);
    if (valueMin > 0) wrong.push([keyMin, valueMin - 1]);
    for (const [key, value] of wrong) {
      assert.equal(status(op, key!, value!), record.FRAME_BAD_FIELD, `${op} ${key} ${value}`);
    }
  }
});

test("64-bit numbers of every size", () => {
  const view = new DataView(new ArrayBuffer(16));
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(8), (value, at) => {
    record.writeU64(view, at, value);
    assert.equal(record.readU64(view, at), value);
    assert.equal(view.getBigUint64(at, true), BigInt(value));
  }));
  view.setBigUint64(0, 2n ** 64n - 1n, true);
  assert(record.readU64(view, 0) > LSN_LIMIT);
});

test("a frame by its bytes, as anybody else would write it", () => {
  const { buffer, length } = makeFrame(
    0,
    record.OP_SET,
    7,
    Buffer.from("cairn"),
    Buffer.from("stone"),
  );
  assert.equal(
    Buffer.from(buffer.bytes.subarray(0, length)).toString("hex"),
    "f143524e0100" + "00" + "0700000000000000" + "05000000" + "05000000" +
      "636169726e" + "73746f6e65" + "04ea878a",
  );
  assert.equal(crc32(Buffer.from("123456789"), 0, 9), 0xcbf43926);
  assert.equal(crc32(Buffer.from("..123456789.."), 2, 11), 0xcbf43926);
});

test("every status has its words", () => {
  const texts = new Set<string>();
  for (let status = record.FRAME_OK; status <= record.FRAME_BAD_CRC; status++) {
    texts.add(record.describeFrameStatus(status));
  }
  assert.equal(texts.size, 7);
  assert.match(record.describeFrameStatus(99), /unknown status 99/);
});
