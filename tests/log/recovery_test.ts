import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES, SYNC_FRAME_BYTES } from "../../lib/format/control_record.ts";
import {
  decide,
  findDurableOffset,
  RECOVERY_CASES,
  type SegmentFindings,
  type Verdict,
} from "../../lib/log/recovery.ts";
import { joined, withBitFlipped } from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";

const TIMEOUT_MS = 120_000;

const BOTH = [false, true];

function allFindings(): SegmentFindings[] {
  return BOTH.flatMap((active) =>
    BOTH.flatMap((damaged) =>
      BOTH.flatMap((damagedBelowDurable) =>
        BOTH.map((complete) => ({ active, damaged, damagedBelowDurable, complete }))
      )
    )
  );
}

/** The same decision in other words, to hold the table against. */
function verdictInWords({ active, damaged, damagedBelowDurable, complete }: SegmentFindings) {
  if (!damaged) return active || complete ? "intact" : "corrupt";
  return active && !damagedBelowDurable ? "truncate" : "corrupt";
}

test(
  "every combination of findings has a verdict, and the right one",
  { timeout: TIMEOUT_MS },
  () => {
    const findings = allFindings();
    assert.equal(findings.length, 16);
    for (const each of findings) {
      const { then, because } = decide(each);
      assert.equal(then, verdictInWords(each) satisfies Verdict, JSON.stringify(each));
      assert.match(because, /\w/);
    }
  },
);

test("only the tail of the active segment is ever cut off", { timeout: TIMEOUT_MS }, () => {
  for (const findings of allFindings()) {
    if (decide(findings).then !== "truncate") continue;
    assert(findings.active && findings.damaged && !findings.damagedBelowDurable);
  }
});

test("no row of the table is idle", { timeout: TIMEOUT_MS }, () => {
  for (const row of RECOVERY_CASES) {
    assert(allFindings().some((findings) => decide(findings) === row), row.because);
  }
});

test("finds the furthest offset that a mark calls durable", { timeout: TIMEOUT_MS }, () => {
  const builder = new SegmentBuilder().record("a").mark({ durableOffset: 59 }).record("b");
  const end = builder.length;
  builder.mark({ durableOffset: end }).mark({ durableOffset: 80 });
  const { bytes } = builder;
  assert.equal(findDurableOffset(memoryFile(bytes), 1, 0, bytes.length), end);
  assert.equal(findDurableOffset(memoryFile(bytes), 1, 0, end), 59);
  assert.equal(findDurableOffset(memoryFile(bytes), 1, end + 1, bytes.length), 80);
  assert.equal(findDurableOffset(memoryFile(bytes), 1, bytes.length, bytes.length), 0);
});

test(
  "marks of another file, at another offset, or damaged, do not count",
  { timeout: TIMEOUT_MS },
  () => {
    const start = new SegmentBuilder().record("a");
    const at = start.length;
    const mark = start.mark().bytes.subarray(at);
    for (const shift of [1, 2, 46, 47, 48]) {
      const moved = joined(start.bytes.subarray(0, at), new Uint8Array(shift), mark);
      assert.equal(findDurableOffset(memoryFile(moved), 1, 0, moved.length), 0, `by ${shift}`);
    }
    assert.equal(findDurableOffset(memoryFile(start.bytes), 2, 0, start.length), 0);
    for (let bit = 8 * at; bit < 8 * start.length; bit++) {
      const damaged = withBitFlipped(start.bytes, bit);
      assert.equal(findDurableOffset(memoryFile(damaged), 1, 0, damaged.length), 0, `bit ${bit}`);
    }
    const cut = start.bytes.subarray(0, -1);
    assert.equal(findDurableOffset(memoryFile(cut), 1, 0, cut.length), 0);
  },
);

test("a mark is found wherever it stands, at the edges of what is read at once as well", {
  timeout: TIMEOUT_MS,
}, () => {
  const before = SEGMENT_FRAME_BYTES;
  for (let back = 0; back <= SYNC_FRAME_BYTES + 1; back++) {
    const builder = new SegmentBuilder();
    builder.raw(new Uint8Array((1 << 20) - before - back)).mark().raw(new Uint8Array(60));
    const durable = builder.length - SYNC_FRAME_BYTES - 60;
    const file = memoryFile(builder.bytes);
    assert.equal(findDurableOffset(file, 1, 0, builder.length), durable, `${back} bytes before`);
  }
});

test("bytes that look like marks cost no more than others", { timeout: TIMEOUT_MS }, () => {
  const { bytes } = new SegmentBuilder().mark();
  const mark = bytes.subarray(framesOf(bytes)[1]!.offset);
  const many = joined(new Uint8Array(1), ...Array.from({ length: 20_000 }, () => mark));
  const begin = performance.now();
  assert.equal(findDurableOffset(memoryFile(many), 1, 0, many.length), 0);
  const magic = new Uint8Array(4 << 20).fill(0xf1);
  assert.equal(findDurableOffset(memoryFile(magic), 1, 0, magic.length), 0);
  assert(performance.now() - begin < 10_000);
});

test("short reads hide no mark", { timeout: TIMEOUT_MS }, () => {
  const { bytes } = new SegmentBuilder().raw(new Uint8Array(500)).mark().raw(new Uint8Array(99));
  const random = new SeededRandom(3);
  const file = shortened(memoryFile(bytes), (wanted) => random.between(1, Math.min(9, wanted)));
  assert.equal(findDurableOffset(file, 1, 0, bytes.length), SEGMENT_FRAME_BYTES + 500);
});
