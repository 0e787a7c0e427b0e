/** The end of a segment: cut, torn, or longer than it was. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, joined, withFile } from "../support/disk_image.ts";
import { leftByKill } from "../support/killed_store.ts";
import { LAZY, pattern } from "../support/test_store.ts";
import {
  changed,
  FIRST_SEGMENT,
  harmed,
  NOW,
  recordOf,
  tenKeys,
  writtenBy,
} from "./prepared_stores.ts";
import { repairImage } from "./repaired_store.ts";
import { framesIn, isRecord, segmentNames } from "./written_records.ts";

test("repair: the file cut at every length keeps all records before the cut", async () => {
  const image = await tenKeys();
  const frames = framesIn(image, FIRST_SEGMENT);
  const size = frames.at(-1)!.offset + frames.at(-1)!.length;
  for (let length = 0; length < size; length += 7) {
    const cut = changed(image, FIRST_SEGMENT, (bytes) => bytes.slice(0, length));
    const { report, entries } = await repairImage(cut, NOW);
    const whole = frames.filter((frame) =>
      isRecord(frame) && frame.offset + frame.length <= length
    );
    assert.deepEqual(
      [...entries.keys()].sort(),
      whole.map(({ key }) => key),
      `cut at ${length}`,
    );
    // ACTIVE says how long the segment was when it was closed.
    assert.equal(report.complete, false);
  }
});

test("repair: behind the end that ACTIVE gives there is nothing to lose, unless bytes moved", async () => {
  const image = await writtenBy(async (store) => {
    for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(300));
  }, { segmentBytesMax: 4096 });
  const longer = changed(image, FIRST_SEGMENT, (bytes) => joined(bytes, pattern(100)));
  assert.equal((await repairImage(longer, NOW)).report.complete, true);
  const frames = framesIn(image, FIRST_SEGMENT);
  const last = frames.findLast(isRecord)!;
  const moved = changed(harmed(image, last, 30), FIRST_SEGMENT, (bytes) => {
    return joined(bytes.subarray(0, 59), pattern(800), bytes.subarray(59));
  });
  const { report } = await repairImage(moved, NOW);
  assert.equal(report.complete, false);
});

test("repair: what ACTIVE calls durable is lost when it is zeros, not torn", async () => {
  const image = await tenKeys();
  const j = recordOf(image, "j");
  const zeroed = changed(image, FIRST_SEGMENT, (bytes) => void bytes.fill(0, j.offset));
  const { report, entries } = await repairImage(zeroed, NOW);
  assert.equal(entries.size, 9);
  assert.deepEqual([report.complete, report.tornBytes], [false, 0]);
  const torn = await repairImage(withFile(zeroed, "ACTIVE", undefined), NOW);
  assert.equal(torn.report.tornBytes > 0, true);
});

test("repair: a torn tail is no loss, and neither is a batch that it cuts", async () => {
  const image = await writtenBy(async (store) => {
    for (const key of "abc") await store.set(key, key);
    await store.flush();
    await store.batch([{ op: "set", key: "d", value: "d" }, { op: "set", key: "e", value: "e" }]);
  }, { durability: LAZY });
  const d = recordOf(image, "d");
  const torn = changed(image, FIRST_SEGMENT, (bytes) => bytes.slice(0, d.offset + d.length + 9));
  // What ACTIVE says of a store that was closed is more than a crash leaves.
  torn.delete("ACTIVE");
  const { report, entries } = await repairImage(torn, NOW);
  assert.deepEqual([...entries.keys()].sort(), ["a", "b", "c"]);
  assert.deepEqual([report.complete, report.lost, report.batches], [true, [], []]);
  assert(report.tornBytes > d.length + 9);
});

test("repair: versions that were lost with the end are not given out again", async () => {
  const image = await tenKeys();
  const { report, versionNext } = await repairImage(harmed(image, recordOf(image, "j"), 30), NOW);
  assert.equal(report.complete, false);
  assert(versionNext > 10);
});

test("repair: versions of records that are missing at the end are not given out again", async () => {
  const image = await tenKeys();
  const size = bytesOf(image, FIRST_SEGMENT).length;
  for (const length of [0, 30, 59, 300, recordOf(image, "j").offset]) {
    const cut = changed(image, FIRST_SEGMENT, (bytes) => bytes.slice(0, length));
    const { versionNext } = await repairImage(cut, NOW);
    assert(versionNext > 10, `cut to ${length} of ${size} bytes, then ${versionNext}`);
  }
});

test("repair: neither are those of a newest segment that is missing, however long it was", async () => {
  const image = await leftByKill(async (store) => {
    for (let key = 0; key < 30; key++) await store.set(`k${key}`, pattern(300));
    for (let key = 0; key < 50; key++) store.setSync("k", "");
  }, { segmentBytesMax: 8192 });
  const newest = segmentNames(image).at(-1)!;
  const records = framesIn(image, newest).filter(isRecord);
  assert(newest !== FIRST_SEGMENT && records.length > 20, `${records.length}`);
  const last = records.at(-1)!;
  const missing = await repairImage(withFile(image, newest, undefined), NOW);
  assert(missing.versionNext > last.lsn, `${missing.versionNext}, but ${last.lsn} was given out`);
  // ACTIVE was written when there was nothing but the first frame in it.
  const cut = await repairImage(changed(image, newest, (bytes) => bytes.slice(0, 30)), NOW);
  assert(cut.versionNext > last.lsn, `${cut.versionNext}, but ${last.lsn} was given out`);
});
