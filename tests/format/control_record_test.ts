/** Control records: SEGMENT, SYNC and BATCH frames, and the checksum chain. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as control from "../../lib/format/control_record.ts";
import {
  allocateBuffer,
  decodeFrame,
  FRAME_OK,
  FrameHeader,
  OP_BATCH,
  OP_SEGMENT,
  OP_SYNC,
  readFrameCrc,
} from "../../lib/format/record.ts";
import { InvariantError } from "../../lib/assert.ts";
import { LSN_LIMIT } from "../../lib/limits.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const lsn = fc.integer({ min: 0, max: LSN_LIMIT });
const at = fc.nat(7);

test("a SEGMENT frame says which file of which store this is", () => {
  const header = fc.record({
    fileId: u32,
    compacted: fc.boolean(),
    createdAt: fc.maxSafeNat(),
    nodeId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    firstLsn: lsn,
  }, { noNullPrototype: true });
  fc.assert(fc.property(header, at, (header, at) => {
    const buffer = allocateBuffer(at + control.SEGMENT_FRAME_BYTES);
    const crc = control.encodeSegmentHeader(buffer, at, header);
    const frame = decode(buffer, at, control.SEGMENT_FRAME_BYTES);
    assert.equal(frame.op, OP_SEGMENT);
    assert.equal(crc, readFrameCrc(buffer.view, at, control.SEGMENT_FRAME_BYTES));
    assert.deepEqual(control.decodeSegmentHeader(buffer, at, frame.lsn), header);
  }));
  const buffer = allocateBuffer(control.SEGMENT_FRAME_BYTES);
  const header15 = {
    fileId: 1,
    compacted: false,
    createdAt: 0,
    nodeId: new Uint8Array(15),
    firstLsn: 1,
  };
  assert.throws(() => control.encodeSegmentHeader(buffer, 0, header15), InvariantError);
});

test("the node id that was decoded does not share memory with the buffer", () => {
  const buffer = allocateBuffer(control.SEGMENT_FRAME_BYTES);
  const nodeId = new Uint8Array(16).fill(5);
  const header = { fileId: 1, compacted: false, createdAt: 0, nodeId, firstLsn: 1 };
  control.encodeSegmentHeader(buffer, 0, header);
  const decoded = control.decodeSegmentHeader(buffer, 0, 1);
  buffer.bytes.fill(0);
  assert.deepEqual(decoded.nodeId, nodeId);
});

test("a SYNC frame says how far the file was durable", () => {
  const mark = fc.record({
    durableOffset: u32,
    ownOffset: u32,
    fileId: u32,
    recordCount: u32,
    chain: u32,
    durableLsn: lsn,
  }, { noNullPrototype: true });
  fc.assert(fc.property(mark, at, (mark, at) => {
    const buffer = allocateBuffer(at + control.SYNC_FRAME_BYTES);
    control.encodeSyncMark(buffer, at, mark);
    const frame = decode(buffer, at, control.SYNC_FRAME_BYTES);
    assert.equal(frame.op, OP_SYNC);
    assert.deepEqual(control.decodeSyncMark(buffer.view, at, frame.lsn), mark);
  }));
});

test("a BATCH frame says how many frames belong together", () => {
  fc.assert(fc.property(lsn, u32, u32, at, (lastLsn, count, byteLength, at) => {
    const buffer = allocateBuffer(at + control.BATCH_FRAME_BYTES);
    control.encodeBatchHeader(buffer, at, lastLsn, count, byteLength);
    const frame = decode(buffer, at, control.BATCH_FRAME_BYTES);
    assert.equal(frame.op, OP_BATCH);
    assert.equal(frame.lsn, lastLsn);
    assert.deepEqual(control.decodeBatchHeader(buffer.view, at), { count, byteLength });
  }));
});

test("the chain depends on every frame, on their number and on their order", () => {
  const chainOf = (crcs: number[]) => crcs.reduce(control.extendChain, control.CHAIN_START);
  assert.equal(chainOf([]), 0x811c9dc5);
  // By hand: (0x811c9dc5 XOR 0x01020304) * 0x01000193 mod 2^32.
  const byHand = Number((0x811c9dc5n ^ 0x01020304n) * 0x01000193n % (1n << 32n));
  assert.equal(chainOf([0x01020304]), byHand);
  fc.assert(
    fc.property(
      fc.uniqueArray(u32, { minLength: 2, maxLength: 20 }),
      fc.nat(),
      fc.nat(),
      (crcs, i, j) => {
        const chain = chainOf(crcs);
        assert(Number.isInteger(chain) && chain >= 0 && chain <= 0xffff_ffff);
        const [left, right] = [i % crcs.length, j % crcs.length];
        const without = crcs.filter((_, index) => index !== left);
        assert.notEqual(chainOf(without), chain);
        assert.notEqual(chainOf([...crcs, crcs[left]!]), chain);
        if (left === right) return;
        const swapped = crcs.slice();
        [swapped[left], swapped[right]] = [swapped[right]!, swapped[left]!];
        assert.notEqual(chainOf(swapped), chain);
      },
    ),
    // One of 2^32 other chains is the same: this seed has none of them.
    { seed: 1 },
  );
});

function decode(buffer: ReturnType<typeof allocateBuffer>, at: number, length: number) {
  const header = new FrameHeader();
  assert.equal(decodeFrame(buffer, at, length, header), FRAME_OK);
  assert.equal(header.frameLength, length);
  assert.equal(header.keyLength, 0);
  return header;
}
