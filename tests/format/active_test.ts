/** The file ACTIVE: round trips, and what is refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ACTIVE_FIELDS,
  ACTIVE_SEGMENT_BYTES,
  ACTIVE_SEGMENT_FIELDS,
  type ActiveState,
  decodeActive,
  encodeActive,
} from "../../lib/format/active.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import { FILE_ID_LIMIT, LSN_LIMIT } from "../../lib/limits.ts";

const u32 = fc.integer({ min: 1, max: 0xffff_ffff });

const states: fc.Arbitrary<ActiveState> = fc.record({
  nodeId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  droppedLsn: fc.integer({ min: 0, max: LSN_LIMIT }),
  ids: fc.uniqueArray(fc.integer({ min: 1, max: FILE_ID_LIMIT - 1 }), {
    minLength: 1,
    maxLength: 30,
  }),
  room: fc.nat(10),
  figures: fc.array(fc.tuple(u32, u32), { minLength: 30, maxLength: 30 }),
}).map(({ nodeId, droppedLsn, ids, room, figures }) => ({
  nodeId,
  droppedLsn,
  nextFileId: Math.min(FILE_ID_LIMIT, Math.max(...ids) + 1 + room),
  segments: ids.map((fileId, index) =>
    index === ids.length - 1
      ? { fileId, length: 0, chain: 0 }
      : { fileId, length: figures[index]![0], chain: figures[index]![1] }
  ),
}));

test("what is encoded is decoded again", () => {
  fc.assert(fc.property(states, (state) => {
    const bytes = encodeActive(state);
    assert.equal(
      bytes.length,
      ACTIVE_FIELDS.segments + ACTIVE_SEGMENT_BYTES * state.segments.length + 4,
    );
    assert.deepEqual(decodeActive(bytes), state);
    // Also from the midst of a larger array.
    const larger = new Uint8Array(bytes.length + 9).fill(0xee);
    larger.set(bytes, 3);
    assert.deepEqual(decodeActive(larger.subarray(3, 3 + bytes.length)), state);
  }));
});

test("every flipped bit, and every other length, is damage", () => {
  fc.assert(
    fc.property(states, (state) => {
      const bytes = encodeActive(state);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >>> 3]! ^= 1 << (bit & 7);
        assert("message" in decodeActive(bytes), `bit ${bit}`);
        bytes[bit >>> 3]! ^= 1 << (bit & 7);
      }
      for (let length = 0; length < bytes.length; length++) {
        assert("message" in decodeActive(bytes.subarray(0, length)), `${length} bytes`);
      }
      assert("message" in decodeActive(Uint8Array.of(...bytes, 0)));
    }),
    { numRuns: 10 },
  );
});

const good: ActiveState = {
  nodeId: new Uint8Array(16).fill(7),
  droppedLsn: 5,
  nextFileId: 4,
  segments: [
    { fileId: 1, length: 100, chain: 1 },
    { fileId: 3, length: 200, chain: 2 },
    { fileId: 2, length: 0, chain: 0 },
  ],
};

/** Changes the bytes of a good file, and gives it a checksum that holds. */
function changed(change: (view: DataView) => void): Uint8Array {
  const bytes = encodeActive(good);
  const view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(bytes.length - 4, crc32(bytes, 0, bytes.length - 4), true);
  return bytes;
}

test("contradictions are refused even if the checksum holds", () => {
  const segment = (index: number, field: keyof typeof ACTIVE_SEGMENT_FIELDS) =>
    ACTIVE_FIELDS.segments + ACTIVE_SEGMENT_BYTES * index + ACTIVE_SEGMENT_FIELDS[field];
  const cases: [RegExp, (view: DataView) => void][] = [
    [/magic/, (view) => view.setUint32(0, 0x415243f2, true)],
    [/version 0 does not exist/, (view) => view.setUint16(4, 0, true)],
    [/number of segments/, (view) => view.setUint32(ACTIVE_FIELDS.count, 2, true)],
    [/number of segments/, (view) => view.setUint32(ACTIVE_FIELDS.count, 0xffff_ffff, true)],
    [/dropped LSN/, (view) => view.setUint16(ACTIVE_FIELDS.droppedLsn + 6, 1, true)],
    [/never created/, (view) => view.setUint32(ACTIVE_FIELDS.nextFileId, 3, true)],
    [/never created/, (view) => view.setUint32(segment(0, "fileId"), 0, true)],
    [/never created/, (view) => view.setUint32(segment(0, "fileId"), 4, true)],
    [/twice/, (view) => view.setUint32(segment(0, "fileId"), 3, true)],
  ];
  assert.deepEqual(decodeActive(changed(() => {})), good);
  for (const [message, change] of cases) {
    const decoded = decodeActive(changed(change));
    assert("message" in decoded, String(message));
    assert.match(decoded.message, message);
    assert.equal(decoded.unsupported, false);
  }
  const none = encodeActive({ ...good, segments: [] });
  assert.match((decodeActive(none) as { message: string }).message, /names no segment/);
});

test("a newer format is told apart from damage, whatever else it holds", () => {
  for (const version of [2, 3, 0xffff]) {
    const bytes = encodeActive(good);
    new DataView(bytes.buffer).setUint16(4, version, true);
    for (const each of [bytes, Uint8Array.of(...bytes, 1, 2, 3)]) {
      const decoded = decodeActive(each);
      assert("message" in decoded);
      assert.equal(decoded.unsupported, true);
      assert.match(decoded.message, new RegExp(`version ${version}, and this Cairn knows up to 1`));
    }
  }
});
