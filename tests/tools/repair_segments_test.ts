/** Which files a repair takes for the log, when ACTIVE and headers no longer say it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeActive, encodeActive } from "../../lib/format/active.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import { OP_DELETE, OP_SET_EXPIRING } from "../../lib/format/record.ts";
import { segmentName } from "../../lib/format/filename.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { KvStore } from "../../lib/store/store.ts";
import { bytesOf, type DiskImage, fromImage, takeImage, withFile } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { failsWith } from "../support/kv_error.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";
import { openInMemory, PATH, pattern } from "../support/test_store.ts";
import {
  changed,
  FIRST_SEGMENT,
  harmed,
  NOW,
  recordOf,
  tenKeys,
  writtenBy,
} from "./prepared_stores.ts";
import { clockAt, REPAIRED, type Repaired, repairImage } from "./repaired_store.ts";
import { framesIn, framesOf, isRecord, segmentNames, stateOf } from "./written_records.ts";

const SMALL = { segmentBytesMax: 4096 };

/** Several segments, with overwritten keys and deletes in them. */
function severalSegments(): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 15; key++) await store.set(`k${key}`, pattern(250, round));
      await store.delete(`k${round}`);
    }
  }, SMALL);
}

/** The states of a store right before and right after a compaction that drops deletes. */
async function aroundCompaction(): Promise<{ before: DiskImage; after: DiskImage }> {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ ...SMALL, clock: clockAt(NOW) }, fs);
  for (let key = 0; key < 30; key++) await store.set(`k${key}`, pattern(250, key));
  for (let key = 0; key < 30; key += 2) await store.delete(`k${key}`);
  for (let key = 0; key < 10; key++) await store.set(`other ${key}`, pattern(400, key));
  await store.flush();
  const before = closedSegments(takeImage(fs));
  await store.compact();
  return { before, after: takeImage(fs) };
}

/** The image with its newest segment as compaction closes it: without space behind its frames. */
function closedSegments(image: DiskImage): DiskImage {
  const newest = segmentNames(image).at(-1)!;
  const { offset, length } = framesIn(image, newest).at(-1)!;
  return withFile(image, newest, bytesOf(image, newest).slice(0, offset + length));
}

function assertState(repaired: Repaired, image: DiskImage, message?: string): void {
  const expected = stateOf(framesOf(image).filter(isRecord), NOW);
  assert.deepEqual(
    [...repaired.entries].map(([key, { version }]) => `${key} ${version}`).sort(),
    [...expected].map(([key, { lsn }]) => `${key} ${lsn}`).sort(),
    message,
  );
}

test("repair: without ACTIVE, or with a damaged one, nothing is lost", async () => {
  const image = await severalSegments();
  assert(segmentNames(image).length > 2);
  const size = bytesOf(image, "ACTIVE").length;
  for (let at = 0; at < size; at++) {
    const damaged = changed(image, "ACTIVE", (bytes) => {
      bytes[at]! ^= 0xff;
    });
    const repaired = await repairImage(damaged, NOW);
    assertState(repaired, image, `byte ${at}`);
    // Bytes 6 and 7 are reserved, but the checksum covers them.
    assert.match(repaired.report.warnings.join(), /ACTIVE is damaged/);
    assert.equal(repaired.report.complete, true, JSON.stringify(repaired.report));
  }
  const repaired = await repairImage(withFile(image, "ACTIVE", undefined), NOW);
  assertState(repaired, image);
  assert.match(repaired.report.warnings.join(), /ACTIVE is missing/);
});

test("repair: ACTIVE of a newer format is refused, unless it is merely damaged", async () => {
  const image = await tenKeys();
  const newer = changed(image, "ACTIVE", (bytes) => {
    const state = decodeActive(bytes);
    assert("segments" in state);
    const encoded = encodeActive(state);
    encoded[4] = 9;
    const view = new DataView(encoded.buffer);
    // What the checksum of the changed bytes must be is found by asking for it.
    view.setUint32(encoded.length - 4, crc32(encoded, 0, encoded.length - 4), true);
    return encoded;
  });
  const fs = fromImage(newer);
  await failsWith("Unsupported", /format version 9/, () => {
    return KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  });
  assert.equal(fs.stat(REPAIRED), undefined);
  const damaged = changed(image, "ACTIVE", (bytes) => void (bytes[4] = 9));
  assertState(await repairImage(damaged, NOW), image);
});

test("repair: a damaged first frame costs nothing, with ACTIVE and without", async () => {
  const image = await severalSegments();
  for (const name of segmentNames(image)) {
    const [header] = framesIn(image, name);
    for (const at of [0, 4, 6, 7, 15, 19, 23, 27, 40, 58]) {
      const damaged = harmed(image, header!, at);
      const repaired = await repairImage(damaged, NOW);
      assertState(repaired, image, `${name} ${at}`);
      assert.equal(repaired.report.complete, true, JSON.stringify(repaired.report.lost));
      assertState(await repairImage(withFile(damaged, "ACTIVE", undefined), NOW), image);
    }
  }
});

test("repair: a missing segment is reported, and the others are kept", async () => {
  const image = await severalSegments();
  const frames = framesOf(image).filter(isRecord);
  for (const name of segmentNames(image)) {
    const { report, entries } = await repairImage(withFile(image, name, undefined), NOW);
    const expected = stateOf(frames.filter((frame) => frame.name !== name), NOW);
    assert.deepEqual([...entries.keys()].sort(), [...expected.keys()].sort());
    assert.equal(report.complete, false);
    assert(report.lost.some(({ path, reason }) => path.endsWith(name) && /missing/.test(reason)));
  }
});

test("repair: segments under each other's names are told apart by their first frames", async () => {
  const image = await severalSegments();
  const [first, second] = segmentNames(image);
  const swapped = withFile(
    withFile(image, first!, bytesOf(image, second!)),
    second!,
    bytesOf(image, first!),
  );
  const repaired = await repairImage(swapped, NOW);
  assertState(repaired, image);
  assert.match(repaired.report.warnings.join(), /says that it is segment 2/);
});

test("repair: files of another store are left out, and named", async () => {
  const image = await tenKeys();
  const other = await writtenBy(async (store) => {
    for (let key = 0; key < 50; key++) await store.set(`foreign ${key}`, "x");
  });
  const mixed = withFile(image, segmentName(9), bytesOf(other, FIRST_SEGMENT));
  for (const damaged of [mixed, withFile(mixed, "ACTIVE", undefined)]) {
    const { report, entries } = await repairImage(damaged, NOW);
    assert.equal([...entries.keys()].join(""), "abcdefghij");
    assert.equal(report.skipped.length, 1);
    assert.match(report.skipped[0]!.reason, /another store|no part of the log/);
  }
});

test("repair: files that are none of Cairn's do not matter", async () => {
  let image = await tenKeys();
  for (const name of ["notes.txt", "0000000001.log.bak", "1.log", "0000000099.log.tmp"]) {
    image = withFile(image, name, pattern(300));
  }
  const { report } = await repairImage(image, NOW);
  assert.deepEqual([report.complete, report.keys, report.skipped], [true, 10, []]);
});

test("repair: after a compaction, leftovers of it bring nothing back", async () => {
  const { before, after } = await aroundCompaction();
  const inputs = segmentNames(before).filter((name) => !after.has(name));
  assert(inputs.length > 2, "compaction replaced several segments");
  assertState(await repairImage(after, NOW), before, "compaction kept the state");
  // Inputs are removed from the oldest on; a crash may leave any number of them.
  for (let kept = 0; kept <= inputs.length; kept++) {
    let image = after;
    for (const name of inputs.slice(kept)) image = withFile(image, name, bytesOf(before, name));
    assertState(await repairImage(image, NOW), before, `${inputs.slice(kept)} with ACTIVE`);
    const repaired = await repairImage(withFile(image, "ACTIVE", undefined), NOW);
    assertState(repaired, before, `${inputs.slice(kept)} without ACTIVE`);
    assert.equal(repaired.report.complete, true);
  }
});

test("repair: after a power cut, any of the replaced segments may be there again", async () => {
  const { before, after } = await aroundCompaction();
  const inputs = segmentNames(before).filter((name) => !after.has(name));
  for (const name of inputs) {
    const image = withFile(after, name, bytesOf(before, name));
    for (const each of [image, withFile(image, "ACTIVE", undefined)]) {
      assertState(await repairImage(each, NOW), before, name);
    }
  }
});

test("repair: as long as all replaced segments are there, they are used as well", async () => {
  // The output leaves out what a newer record supersedes, and that one is lost.
  const input = new SegmentBuilder({ fileId: 1 }).record("a").record("b").mark();
  const output = new SegmentBuilder({ fileId: 3, compacted: true }).record("b", "", { lsn: 2 });
  const newest = new SegmentBuilder({ fileId: 2, firstLsn: 3 }).record("a");
  const image = new Map([
    [segmentName(1), input.bytes],
    [segmentName(2), newest.bytes.slice(0, -1)],
    [segmentName(3), output.mark().bytes],
  ]);
  const { entries } = await repairImage(image, NOW);
  assert.deepEqual([...entries.keys()].sort(), ["a", "b"]);
});

test("repair: an unfinished output of compaction replaces nothing", async () => {
  // The first of the replaced segments is lost, so that they are not all there.
  const input = new SegmentBuilder({ fileId: 2, firstLsn: 5 }).record("e").record("f").mark();
  const output = new SegmentBuilder({ fileId: 4, compacted: true }).record("a")
    .record("e", "", { lsn: 5 });
  const newest = new SegmentBuilder({ fileId: 3, firstLsn: 7 }).record("g");
  const image = new Map([
    [segmentName(2), input.bytes],
    [segmentName(3), newest.bytes],
    [segmentName(4), output.bytes],
  ]);
  const { entries } = await repairImage(image, NOW);
  assert.deepEqual([...entries.keys()].sort(), ["a", "e", "f", "g"]);
});

test("repair: what compaction buried under the same version stays buried", async () => {
  const expiresAt = new Uint8Array(8);
  new DataView(expiresAt.buffer).setBigUint64(0, BigInt(NOW) + 1000n, true);
  const input = new SegmentBuilder({ fileId: 1 }).record("a")
    .raw(makeFrame(OP_SET_EXPIRING, 2, "buried", expiresAt), 2).record("c").mark();
  const output = new SegmentBuilder({ fileId: 2, compacted: true }).record("a")
    .record("buried", "", { op: OP_DELETE }).record("c").mark();
  const image = new Map([[segmentName(1), input.bytes], [segmentName(2), output.bytes]]);
  const { entries } = await repairImage(image, NOW);
  assert.deepEqual([...entries.keys()].sort(), ["a", "c"]);
});

test("repair: an output of compaction that was not finished changes nothing", async () => {
  const { before, after } = await aroundCompaction();
  const output = segmentNames(after).find((name) => !before.has(name))!;
  const whole = bytesOf(after, output);
  for (const length of [0, 30, 59, 400, whole.length - 1, whole.length]) {
    const image = withFile(before, output, whole.slice(0, length));
    for (const each of [image, withFile(image, "ACTIVE", undefined)]) {
      const repaired = await repairImage(each, NOW);
      assertState(repaired, before, `${length} bytes of the output`);
    }
  }
});

test("repair: an old copy of ACTIVE is seen for what it is", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ ...SMALL, clock: clockAt(NOW) }, fs);
  for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(300, 1));
  await store.flush();
  const active = bytesOf(takeImage(fs), "ACTIVE");
  for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(300, 2));
  await store.flush();
  const grown = takeImage(fs);
  await store.compact();
  await store.flush();
  const compacted = takeImage(fs);
  for (const image of [grown, compacted]) {
    const repaired = await repairImage(withFile(image, "ACTIVE", active), NOW);
    assertState(repaired, image);
    assert.match(repaired.report.warnings.join(), /older than the segments|missing/);
  }
});

test("repair: identity comes from ACTIVE, the segments or NODE_ID, whichever is left", async () => {
  const image = await severalSegments();
  const { nodeId } = (await repairImage(image, NOW)).report;
  assert.equal(new TextDecoder().decode(bytesOf(image, "NODE_ID")).trim(), nodeId);
  const noActive = withFile(image, "ACTIVE", undefined);
  assert.equal((await repairImage(noActive, NOW)).report.nodeId, nodeId);
  const noNodeId = withFile(noActive, "NODE_ID", undefined);
  assert.equal((await repairImage(noNodeId, NOW)).report.nodeId, nodeId);
  let headless = noActive;
  for (const name of segmentNames(image)) {
    headless = harmed(headless, framesIn(image, name)[0]!, 30);
  }
  const { report } = await repairImage(headless, NOW);
  assert.equal(report.nodeId, nodeId);
  const unnamed = await repairImage(withFile(headless, "NODE_ID", undefined), NOW);
  assert.notEqual(unnamed.report.nodeId, nodeId);
  assert.match(unnamed.report.warnings.join(), /new one/);
});

test("repair: followers go on after a sound store, and begin anew after a loss", async () => {
  const image = await tenKeys();
  const dropped = async (source: DiskImage) => {
    const { fs } = await repairImage(source, NOW);
    const state = decodeActive(readFile(fs, `${REPAIRED}/wal/ACTIVE`, 1000));
    assert("segments" in state);
    return state.droppedLsn;
  };
  assert.equal(await dropped(image), 0);
  assert(await dropped(harmed(image, recordOf(image, "e"), 30)) >= 10);
});
