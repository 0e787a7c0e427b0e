/** Hint files that lie, with checksums that hold. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../lib/format/crc32.ts";
import {
  encodeHintHeader,
  HINT_BLOCK_BYTES_MAX,
  HINT_ENTRY_BYTES,
  HINT_ENTRY_BYTES_MAX,
  HINT_ENTRY_FIELDS,
} from "../../lib/format/hint.ts";
import { OP_SEGMENT, OP_SET } from "../../lib/format/record.ts";
import { HintReader } from "../../lib/log/hint_reader.ts";
import { joined } from "../support/disk_image.ts";
import { memoryFile } from "../support/memory_file.ts";

const COVERED_BYTES = 1000;
const HEADER = encodeHintHeader({
  fileId: 1,
  coveredLength: COVERED_BYTES,
  recordCount: 1,
  chain: 0,
  controlBytes: 59,
  lastLsn: 1,
});

/** A pair of numbers as blocks begin with, and files end. */
function pair(first: number, second: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, first, true);
  view.setUint32(4, second, true);
  return bytes;
}

function entry(changes: { op?: number; offset?: number; keyLength?: number }): Uint8Array {
  const { op = OP_SET, offset = 100, keyLength = 3 } = changes;
  const bytes = new Uint8Array(HINT_ENTRY_BYTES + 3);
  const view = new DataView(bytes.buffer);
  view.setUint8(HINT_ENTRY_FIELDS.op, op);
  view.setUint16(HINT_ENTRY_FIELDS.keyLengthMinusOne, keyLength - 1, true);
  view.setUint32(HINT_ENTRY_FIELDS.lsnLow, 1, true);
  view.setUint32(HINT_ENTRY_FIELDS.offset, offset, true);
  view.setUint32(HINT_ENTRY_FIELDS.frameLength, 30, true);
  bytes.fill(97, HINT_ENTRY_BYTES);
  return bytes;
}

function problemOf(block: Uint8Array): string | undefined {
  const start = pair(block.length, crc32(block, 0, block.length));
  const hint = new HintReader(memoryFile(joined(HEADER, start, block, pair(0, 1))));
  while (hint.next());
  return hint.problem;
}

test("an entry that is sound is no problem", () => {
  assert.equal(problemOf(entry({})), undefined);
  assert.equal(problemOf(entry({ offset: COVERED_BYTES - 30 })), undefined);
});

test("an entry of another operation, or with a key that reaches beyond its block, is refused", () => {
  assert.equal(problemOf(entry({ op: OP_SEGMENT })), "an entry is impossible");
  assert.equal(problemOf(entry({ keyLength: 4 })), "an entry is impossible");
});

test("an entry that points outside of the segment is refused", () => {
  const outside = entry({ offset: COVERED_BYTES - 29 });
  assert.equal(problemOf(outside), "an entry points outside the segment");
});

test("a block that ends inside an entry is refused", () => {
  for (let rest = 1; rest < HINT_ENTRY_BYTES; rest++) {
    const block = joined(entry({}), new Uint8Array(rest));
    assert.equal(problemOf(block), "an entry is cut off");
  }
});

test("a block longer than any is refused, though the file is long enough for it", () => {
  const limit = HINT_BLOCK_BYTES_MAX + HINT_ENTRY_BYTES_MAX;
  const block = new Uint8Array(limit + 1);
  assert.equal(problemOf(block), "a block has an impossible length");
});
