/** The header of a hint file. Its blocks and entries are tested where they are read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../../lib/format/crc32.ts";
import {
  decodeHintHeader,
  encodeHintHeader,
  HINT_FIELDS,
  HINT_HEADER_BYTES,
} from "../../lib/format/hint.ts";
import { LSN_LIMIT } from "../../lib/limits.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const headers = fc.record({
  fileId: u32,
  coveredLength: u32,
  recordCount: u32,
  chain: u32,
  controlBytes: u32,
  lastLsn: fc.integer({ min: 0, max: LSN_LIMIT }),
}, { noNullPrototype: true });

test("what is encoded is decoded again", () => {
  fc.assert(fc.property(headers, (header) => {
    const bytes = encodeHintHeader(header);
    assert.equal(bytes.length, HINT_HEADER_BYTES);
    assert.deepEqual(decodeHintHeader(bytes), header);
    assert.deepEqual(decodeHintHeader(Uint8Array.of(...bytes, 1, 2, 3)), header);
  }));
});

test("every flipped bit and every missing byte is noticed", () => {
  fc.assert(
    fc.property(headers, (header) => {
      const bytes = encodeHintHeader(header);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >>> 3]! ^= 1 << (bit & 7);
        assert.equal(typeof decodeHintHeader(bytes), "string", `bit ${bit}`);
        bytes[bit >>> 3]! ^= 1 << (bit & 7);
      }
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(decodeHintHeader(bytes.subarray(0, length)), "it is too short");
      }
    }),
    { numRuns: 20 },
  );
});

test("another kind of file or version is refused even if its checksum holds", () => {
  const cases: [RegExp, (view: DataView) => void][] = [
    [/magic/, (view) => view.setUint32(HINT_FIELDS.magic, 0x4e5243f1, true)],
    [/version/, (view) => view.setUint16(HINT_FIELDS.version, 2, true)],
    [/version/, (view) => view.setUint16(HINT_FIELDS.version, 0, true)],
  ];
  for (const [message, change] of cases) {
    const bytes = encodeHintHeader({
      fileId: 1,
      coveredLength: 2,
      recordCount: 3,
      chain: 4,
      controlBytes: 5,
      lastLsn: 6,
    });
    const view = new DataView(bytes.buffer);
    change(view);
    view.setUint32(HINT_FIELDS.crc, crc32(bytes, 0, HINT_FIELDS.crc), true);
    assert.match(String(decodeHintHeader(bytes)), message);
  }
});
