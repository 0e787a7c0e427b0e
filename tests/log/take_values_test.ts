import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_HEADER_BYTES, OP_DELETE, OP_SET, readFrameCrc } from "../../lib/format/record.ts";
import { KEY_BYTES_LIMIT, LSN_LIMIT } from "../../lib/limits.ts";
import { RecordColumns } from "../../lib/log/record_columns.ts";
import { SegmentScanner } from "../../lib/log/segment_scanner.ts";
import { withBitFlipped } from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { memoryFile } from "../support/memory_file.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { NODE_ID, SegmentBuilder } from "../support/segment_builder.ts";

const COUNT_MAX = 5;

/** Everything that is found out about a segment, with or without taking values together. */
function scan(bytes: Uint8Array, together: boolean, bufferBytes = 400): unknown {
  const { length } = bytes;
  const expected = { fileId: 1, nodeId: NODE_ID };
  const scanner = new SegmentScanner(memoryFile(bytes), length, expected, 0, length, bufferBytes);
  const records = new RecordColumns(COUNT_MAX);
  const seen: unknown[] = [];
  let taken = 0;
  const { reader } = scanner;
  const keyAt = (start: number, length: number) =>
    new TextDecoder().decode(reader.buffer.bytes.slice(start, start + length));
  assert(scanner.readHeader());
  while (scanner.next()) {
    const { keyLength, frameLength, lsn } = reader.header;
    const key = keyAt(reader.at + FRAME_HEADER_BYTES, keyLength);
    const crc = readFrameCrc(reader.buffer.view, reader.at, frameLength);
    seen.push([key, reader.offset, frameLength, lsn, crc]);
    while (together) {
      records.count = 0;
      scanner.takeValues(records, COUNT_MAX);
      const { count, keyStarts, keyLengths, offsets, frameLengths, crcs, lsns, expiresAt } =
        records;
      for (let i = 0; i < count; i++) {
        const key = keyAt(keyStarts[i]!, keyLengths[i]!);
        seen.push([key, offsets[i], frameLengths[i], lsns[i], crcs[i]]);
        assert.equal(expiresAt[i], 0);
        taken++;
      }
      if (count < COUNT_MAX) break;
    }
  }
  const { validEnd, problem, durableOffset, endsWithMark, endsSealed } = scanner;
  const { lastLsn, recordCount, chain, controlBytes, tombstoneBytes } = scanner;
  const figures = { lastLsn, recordCount, chain, controlBytes, tombstoneBytes };
  if (together && length > 2000 && bufferBytes > 1000 && problem === undefined) {
    assert(taken > 5, `${taken} taken`);
  }
  return { seen, validEnd, problem, durableOffset, endsWithMark, endsSealed, ...figures };
}

function assertAlike(bytes: Uint8Array, bufferBytes?: number): void {
  assert.deepEqual(scan(bytes, true, bufferBytes), scan(bytes, false, bufferBytes));
}

function mixed(random: SeededRandom, compacted: boolean): SegmentBuilder {
  const builder = new SegmentBuilder({ compacted });
  let lsn = 0;
  for (let i = 0; i < 60; i++) {
    const kind = random.between(0, 14);
    lsn += compacted ? random.between(1, 3) : 1;
    if (kind === 0 && !compacted) {
      builder.batch(["b", `c${i}`], "23");
      lsn++;
    } else if (kind === 1) {
      builder.record(`key ${i}`, "", { op: OP_DELETE, lsn });
    } else {
      builder.record(`key ${i}`, "x".repeat(random.between(0, 40)), { op: OP_SET, lsn });
    }
    if (kind === 2) builder.mark();
  }
  return builder;
}

test("taking values together finds what reading one after the other does", () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 40; round++) {
    const { bytes } = mixed(random, round % 4 === 3);
    for (const bufferBytes of [100, 400, 1 << 20]) assertAlike(bytes, bufferBytes);
  }
});

test("so it does wherever the segment is damaged or cut off", () => {
  const random = new SeededRandom(4);
  const { bytes } = mixed(random, false);
  for (let bit = 8 * framesOf(bytes)[1]!.offset; bit < 8 * bytes.length; bit += 37) {
    assertAlike(withBitFlipped(bytes, bit), 1 << 20);
  }
  for (let length = 200; length < bytes.length; length += 11) {
    assertAlike(bytes.subarray(0, length), 1 << 20);
  }
});

test("a value that is sound but impossible where it is ends the scan", () => {
  const start = () => new SegmentBuilder().record("a").record("b");
  const long = "k".repeat(KEY_BYTES_LIMIT + 1);
  for (
    const builder of [
      start().record("c", "", { op: OP_SET, lsn: 4 }),
      start().record("c", "", { op: OP_SET, lsn: 2 }),
      start().record("", "value"),
      start().record(long),
      new SegmentBuilder({ compacted: true }).record("a").record("b", "", { op: OP_SET, lsn: 1 }),
      new SegmentBuilder({ compacted: true }).record("a")
        .record("b", "", { op: OP_SET, lsn: LSN_LIMIT + 1 }),
    ]
  ) {
    const { bytes } = builder.record("d", "", { op: OP_SET, lsn: 3 });
    assertAlike(bytes, 1 << 20);
    assert.notEqual((scan(bytes, true, 1 << 20) as { problem?: string }).problem, undefined);
  }
});
