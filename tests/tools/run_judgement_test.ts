/**
 * Single rules by which frames of the log are told from frames in values, each in a case that no
 * other rule decides. `ghost` is always a record that was never written.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FRAME_HEADER_BYTES,
  KEY_LENGTH_OFFSET,
  OP_SET,
  VALUE_LENGTH_OFFSET,
} from "../../lib/format/record.ts";
import { joined } from "../support/disk_image.ts";
import { framesOf, makeFrame } from "../support/frames.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";
import { pattern } from "../support/test_store.ts";
import { FIRST_SEGMENT, NOW } from "./prepared_stores.ts";
import { repairImage } from "./repaired_store.ts";

const CONTROL_GAP_BYTES = 47;

/** Keys found in a log that is this one segment. */
async function keysIn(bytes: Uint8Array): Promise<string> {
  const { entries } = await repairImage(new Map([[FIRST_SEGMENT, bytes]]), NOW);
  return [...entries.keys()].sort().join(" ");
}

function ghost(lsn: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(makeFrame(OP_SET, lsn, "ghost", new Uint8Array(8)));
}

/** A record with these bytes as its value. */
function holder(lsn: number, value: Uint8Array): Uint8Array {
  return makeFrame(OP_SET, lsn, "holder", Uint8Array.from(value));
}

/** The bytes with the frame at `offset` changed from the byte `from` to the byte `to`. */
function wiped(bytes: Uint8Array, offset: number, from = 0, to = FRAME_HEADER_BYTES): Uint8Array {
  const copy = bytes.slice();
  for (let at = from; at < to; at++) copy[offset + at]! ^= 0xa5;
  return copy;
}

/** Three records, one with a ghost in its value, and two more. */
function haunted(value: Uint8Array, compacted = false): { bytes: Uint8Array; at: number } {
  const step = compacted ? 10 : 1;
  const builder = new SegmentBuilder({ compacted });
  for (let count = 1; count <= 3; count++) builder.record(`k${count}`, "", { lsn: count * step });
  if (!compacted) builder.mark();
  const at = builder.length;
  builder.raw(holder(4 * step, value), 4 * step);
  builder.record("k5", "", { lsn: 5 * step }).record("k6", "", { lsn: 6 * step }).mark();
  return { bytes: builder.bytes, at };
}

test("judgement: one LSN is missing, and the damaged header says whose it is", async () => {
  const before = CONTROL_GAP_BYTES - FRAME_HEADER_BYTES - "holder".length;
  const { bytes, at } = haunted(joined(pattern(before), ghost(4), pattern(9)));
  const damaged = wiped(bytes, at, VALUE_LENGTH_OFFSET, VALUE_LENGTH_OFFSET + 1);
  assert.equal(await keysIn(damaged), "k1 k2 k3 k5 k6");
});

test("judgement: one LSN is missing, and the header is gone", async () => {
  const { bytes, at } = haunted(joined(pattern(30), ghost(4), pattern(9)));
  assert.equal(await keysIn(wiped(bytes, at)), "k1 k2 k3 k5 k6");
});

test("judgement: frames of another file, though their LSNs are missing", async () => {
  const other = new SegmentBuilder({ fileId: 7, firstLsn: 5 }).record("ghost").mark();
  const { bytes, at } = haunted(joined(pattern(30), other.bytes, pattern(9)));
  const k5 = framesOf(bytes).find(({ lsn, isMark }) => lsn === 5 && !isMark)!;
  assert.equal(await keysIn(wiped(wiped(bytes, at), k5.offset)), "k1 k2 k3 k6");
});

test("judgement: a real record between two damaged ones is kept", async () => {
  const builder = new SegmentBuilder();
  for (let count = 1; count <= 7; count++) builder.record(`k${count}`, "value");
  const { bytes } = builder.mark();
  const at = (lsn: number) =>
    framesOf(bytes).find((frame) => frame.lsn === lsn && frame.op === OP_SET)!.offset;
  assert.equal(await keysIn(wiped(wiped(bytes, at(3)), at(5))), "k1 k2 k4 k6 k7");
  assert.equal(await keysIn(wiped(wiped(bytes, at(3)), at(6))), "k1 k2 k4 k5 k7");
});

test("judgement: in a compacted segment the mark leaves no room for more records", async () => {
  const { bytes, at } = haunted(joined(pattern(30), ghost(45), pattern(9)), true);
  assert.equal(await keysIn(wiped(bytes, at)), "k1 k2 k3 k5 k6");
});

test("judgement: in a compacted segment older records are copies", async () => {
  const { bytes, at } = haunted(joined(pattern(30), ghost(35), pattern(9)), true);
  const short = bytes.slice(0, -3); // without the mark, and with something at the end
  const damaged = wiped(short, at, KEY_LENGTH_OFFSET, KEY_LENGTH_OFFSET + 1);
  assert.equal(await keysIn(damaged), "k1 k2 k3 k5 k6");
});

test("judgement: in a compacted segment a damaged value hides what is in it", async () => {
  const { bytes, at } = haunted(joined(pattern(30), ghost(45), pattern(9)), true);
  const short = bytes.slice(0, -3);
  const damaged = wiped(short, at, FRAME_HEADER_BYTES + 10, FRAME_HEADER_BYTES + 11);
  assert.equal(await keysIn(damaged), "k1 k2 k3 k5 k6");
});

test("judgement: a damaged length that ends where a later record begins hides none", async () => {
  for (const compacted of [false, true]) {
    const builder = new SegmentBuilder({ compacted });
    for (let count = 1; count <= 7; count++) builder.record(`k${count}`, "value");
    const { bytes } = builder.mark();
    const [third, sixth] = [3, 6].map((lsn) => {
      return framesOf(bytes).find((frame) => frame.lsn === lsn && frame.op === OP_SET)!.offset;
    });
    const damaged = bytes.slice();
    const view = new DataView(damaged.buffer);
    const length = view.getUint32(third! + VALUE_LENGTH_OFFSET, true);
    const frameLength = framesOf(bytes).find(({ offset }) => offset === third)!.end - third!;
    view.setUint32(third! + VALUE_LENGTH_OFFSET, length + sixth! - third! - frameLength, true);
    assert.equal(await keysIn(damaged), "k1 k2 k4 k5 k6 k7", `compacted: ${compacted}`);
  }
});

test("judgement: a sound frame with an LSN of another segment is no record of this one", async () => {
  const first = new SegmentBuilder().record("k1").record("k2").raw(ghost(900)).mark();
  const second = new SegmentBuilder({ fileId: 2, firstLsn: 3 }).record("k3");
  const image = new Map([[FIRST_SEGMENT, first.bytes], ["0000000002.log", second.bytes]]);
  const { entries, report } = await repairImage(image, NOW);
  assert.deepEqual([...entries.keys()].sort(), ["k1", "k2", "k3"]);
  assert.match(report.lost[0]!.reason, /do not belong here/);
});

test("judgement: many stretches of rubbish and frames are gone through in no time", async () => {
  const parts: Uint8Array[] = [];
  for (let count = 0; count < 5000; count++) parts.push(ghost(2 + count % 50), pattern(3, count));
  const { bytes, at } = haunted(joined(...parts));
  const start = performance.now();
  assert.equal(await keysIn(wiped(bytes, at)), "k1 k2 k3 k5 k6");
  const millis = performance.now() - start;
  assert(millis < 20_000, `${millis} ms`);
});
