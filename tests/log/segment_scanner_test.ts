import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BATCH_FRAME_BYTES,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../../lib/format/control_record.ts";
import {
  FRAME_OVERHEAD_BYTES,
  OP_DELETE,
  OP_SEGMENT,
  OP_SET_EXPIRING,
} from "../../lib/format/record.ts";
import { EXPIRES_AT_LIMIT } from "../../lib/limits.ts";
import { SegmentScanner } from "../../lib/log/segment_scanner.ts";
import { joined } from "../support/disk_image.ts";
import { framesOf, makeFrame } from "../support/frames.ts";
import { memoryFile } from "../support/memory_file.ts";
import { NODE_ID, SegmentBuilder } from "../support/segment_builder.ts";

/** A record with a key of one byte and no value. */
const RECORD_BYTES = FRAME_OVERHEAD_BYTES + 1;

/** Scans to the end; returns the LSNs handed out and the scanner as it was then. */
function scan(bytes: Uint8Array, expected = { fileId: 1, nodeId: NODE_ID }) {
  const scanner = new SegmentScanner(memoryFile(bytes), bytes.length, expected);
  const lsns: number[] = [];
  if (scanner.readHeader()) { while (scanner.next()) lsns.push(scanner.reader.header.lsn); }
  return { scanner, lsns };
}

function assertStops(bytes: Uint8Array, problem: RegExp, validEnd: number, lsns: number[]): void {
  const result = scan(bytes);
  assert.match(result.scanner.problem ?? "no problem", problem);
  assert.equal(result.scanner.validEnd, validEnd);
  assert.deepEqual(result.lsns, lsns);
}

test("hands out the records of a sound segment, with its figures", () => {
  const builder = new SegmentBuilder({ firstLsn: 7 }).record("a", "1").batch(["b", "c"]).mark()
    .record("a", "", { op: OP_DELETE });
  const { scanner, lsns } = scan(builder.bytes);
  assert.equal(scanner.problem, undefined);
  assert.deepEqual(lsns, [7, 8, 9, 10]);
  assert.equal(scanner.validEnd, builder.length);
  assert.equal(scanner.recordCount, 4);
  assert.equal(scanner.lastLsn, 10);
  assert.equal(scanner.tombstoneBytes, RECORD_BYTES);
  assert.equal(scanner.controlBytes, SEGMENT_FRAME_BYTES + BATCH_FRAME_BYTES + SYNC_FRAME_BYTES);
  assert.equal(scanner.endsWithMark, false);
  assert.equal(scanner.durableOffset, framesOf(builder.bytes).find(({ isMark }) => isMark)!.offset);
});

test("tells whether a segment ends with a mark, and whether that seals it", () => {
  const sealed = scan(new SegmentBuilder().record("a").mark().bytes).scanner;
  assert(sealed.endsWithMark && sealed.endsSealed);
  const marked = scan(new SegmentBuilder().record("a").mark({ durableOffset: 59 }).bytes).scanner;
  assert(marked.endsWithMark && !marked.endsSealed);
  const open = scan(new SegmentBuilder().mark().record("a").bytes).scanner;
  assert(!open.endsWithMark && !open.endsSealed);
});

test("a first frame that is missing or wrong", () => {
  const { bytes } = new SegmentBuilder().record("a");
  const frames = framesOf(bytes);
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /empty/],
    [new Uint8Array(100), /magic/],
    [bytes.subarray(0, 58), /ends inside/],
    [bytes.subarray(frames[1]!.offset), /does not begin with a SEGMENT/],
    [new SegmentBuilder({ fileId: 2 }).bytes, /says that it is segment 2/],
    [new SegmentBuilder({ nodeId: NODE_ID.map((byte) => byte ^ 1) }).bytes, /another store/],
  ];
  for (const [segment, problem] of cases) {
    const { scanner } = scan(segment);
    assert.match(scanner.problem ?? "no problem", problem);
    assert.equal(scanner.segmentHeader, undefined);
    assert.equal(scanner.validEnd, 0);
  }
});

test("LSNs must follow each other; in a compacted segment they must ascend", () => {
  for (const lsn of [0, 1, 3, 2 ** 48 - 1]) {
    const builder = new SegmentBuilder().record("a");
    const end = builder.length;
    assertStops(builder.record("b", "", { lsn }).bytes, /does not follow/, end, [1]);
  }
  const gaps = new SegmentBuilder({ compacted: true }).record("a", "", { lsn: 5 })
    .record("b", "", { lsn: 9 });
  assert.deepEqual(scan(gaps.bytes).lsns, [5, 9]);
  const end = gaps.length;
  assertStops(gaps.record("c", "", { lsn: 9 }).bytes, /does not follow/, end, [5, 9]);
  assertStops(
    new SegmentBuilder({ compacted: true, firstLsn: 4 }).record("a", "", { lsn: 3 }).bytes,
    /does not follow/,
    SEGMENT_FRAME_BYTES,
    [],
  );
});

test("a record must expire at a time that can be, in a batch as well", () => {
  for (const expiresAt of [0, EXPIRES_AT_LIMIT + 1, 2 ** 53, 2 ** 60]) {
    const value = new Uint8Array(9);
    new DataView(value.buffer).setBigUint64(0, BigInt(expiresAt), true);
    const builder = new SegmentBuilder().record("a");
    const end = builder.length;
    const alone = new SegmentBuilder().record("a")
      .raw(makeFrame(OP_SET_EXPIRING, 2, "b", value), 2);
    assertStops(alone.bytes, /impossible time/, end, [1]);
    builder.batchHeader(2, 2 * RECORD_BYTES + 9).record("b")
      .raw(makeFrame(OP_SET_EXPIRING, 3, "c", value), 3);
    assertStops(builder.bytes, /a batch of 2 records is damaged/, end, [1]);
  }
});

test("a mark must be in its place and speak of the frames before it", () => {
  const wrong: [Parameters<SegmentBuilder["mark"]>[0], RegExp][] = [
    [{ fileId: 2 }, /belongs elsewhere/],
    [{ ownOffset: 0 }, /belongs elsewhere/],
    [{ recordCount: 2 }, /not those that were written/],
    [{ recordCount: 0 }, /not those that were written/],
    [{ chain: 1 }, /not those that were written/],
    [{ durableOffset: 1000 }, /impossible here/],
  ];
  for (const [changes, problem] of wrong) {
    const builder = new SegmentBuilder().record("a");
    const end = builder.length;
    assertStops(builder.mark(changes).record("b").bytes, problem, end, [1]);
  }
});

test("a mark tells when frames before it are others than were written", () => {
  const builder = new SegmentBuilder({ compacted: true }).record("a", "1").record("b", "2");
  const { bytes } = builder.mark();
  const frames = framesOf(bytes);
  // In a compacted segment LSNs have gaps, so that only the chain tells that these are others.
  const other = makeFrame(0, 1, "a", new TextEncoder().encode("9"));
  const changed = joined(
    bytes.subarray(0, frames[1]!.offset),
    other,
    bytes.subarray(frames[2]!.offset),
  );
  assert.equal(changed.length, bytes.length);
  assertStops(changed, /not those that were written/, frames[3]!.offset, [1, 2]);
});

test("a SEGMENT frame may stand only at the beginning", () => {
  const builder = new SegmentBuilder().record("a");
  const end = builder.length;
  const header = builder.bytes.slice(0, SEGMENT_FRAME_BYTES);
  assert.equal(header[6], OP_SEGMENT);
  assertStops(builder.raw(header).bytes, /stands inside/, end, [1]);
});

test("batches are handed out whole, or not at all", () => {
  const batches: [what: string, build: (builder: SegmentBuilder) => unknown][] = [
    ["cut off", (builder) => builder.batch(["b", "c"]).bytes = builder.bytes.slice(0, -1)],
    ["with a record missing", (builder) => builder.batchHeader(2, RECORD_BYTES).record("b")],
    [
      "with a record too many",
      (builder) => builder.batchHeader(1, 2 * RECORD_BYTES).record("b").record("c"),
    ],
    [
      "with the wrong length",
      (builder) => builder.batchHeader(2, 2 * RECORD_BYTES - 1).record("b").record("c"),
    ],
    [
      "with the wrong LSN",
      (builder) => builder.batchHeader(2, 2 * RECORD_BYTES, 9).record("b").record("c"),
    ],
    [
      "with LSNs of its own",
      (builder) => builder.batchHeader(2, 2 * RECORD_BYTES).record("b").record("c", "", { lsn: 7 }),
    ],
    ["of nothing", (builder) => builder.batchHeader(0, 0)],
    [
      "of too much",
      (builder) => builder.batchHeader(2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32).record("b"),
    ],
    ["longer than the file", (builder) => builder.batchHeader(2, 2 ** 31).record("b").record("c")],
    [
      "with a mark in it",
      (builder) =>
        builder.batchHeader(2, 2 * RECORD_BYTES + SYNC_FRAME_BYTES).record("b").mark().record("c"),
    ],
    [
      "in a batch",
      (builder) => builder.batchHeader(4, BATCH_FRAME_BYTES + 2 * RECORD_BYTES).batch(["b", "c"]),
    ],
  ];
  for (const [what, build] of batches) {
    const builder = new SegmentBuilder().record("a");
    const end = builder.length;
    build(builder);
    const { scanner, lsns } = scan(builder.bytes);
    assert.notEqual(scanner.problem, undefined, `a batch ${what}`);
    assert.equal(scanner.validEnd, end, `a batch ${what}`);
    assert.deepEqual(lsns, [1], `a batch ${what}`);
  }
  const compacted = new SegmentBuilder({ compacted: true }).batch(["a", "b"]);
  assertStops(compacted.bytes, /impossible here/, SEGMENT_FRAME_BYTES, []);
});

test("goes on behind what a hint stands for, as if that had been read", () => {
  const builder = new SegmentBuilder().record("a").batch(["b", "c"]).mark();
  const covered = scan(builder.bytes).scanner;
  const offset = builder.length;
  builder.record("d").record("e").mark();
  const whole = scan(builder.bytes).scanner;
  const first = new SegmentScanner(memoryFile(builder.bytes), builder.length, {
    fileId: 1,
    nodeId: NODE_ID,
  });
  assert(first.readHeader());
  const resumed = first.resume({
    offset,
    lastLsn: covered.lastLsn,
    recordCount: covered.recordCount,
    chain: covered.chain,
    controlBytes: covered.controlBytes,
    tombstoneBytes: 0,
    sealed: true,
  });
  const lsns: number[] = [];
  while (resumed.next()) lsns.push(resumed.reader.header.lsn);
  assert.deepEqual(lsns, [4, 5]);
  for (
    const figure of [
      "problem",
      "validEnd",
      "recordCount",
      "chain",
      "controlBytes",
      "lastLsn",
      "endsSealed",
    ] as const
  ) assert.equal(resumed[figure], whole[figure], figure);
});
