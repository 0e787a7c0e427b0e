/** Checkpoints damaged in every way: never needed, never believed when wrong, and written anew. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { CHECKPOINT_FIELDS, CHECKPOINT_SEGMENT_FIELDS } from "../../lib/format/checkpoint.ts";
import { SYNC_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { KvStore } from "../../lib/store/store.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  joined,
  takeImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SEGMENT_NAMES, writeSegments } from "../support/segmented_store.ts";
import { mustRefuse, type Opened, problemsOf, read } from "../support/store_outcome.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

const NAME = "CHECKPOINT";
const TIMEOUT_MS = 120_000;
const ALWAYS = { checkpointRecordsMin: 0 };

/** The store of {@link writeSegments}, closed once more with a checkpoint. */
async function writeCheckpointed(): Promise<{ image: DiskImage; opened: Opened }> {
  const { image, opened } = await writeSegments();
  const fs = fromImage(image);
  await (await openInMemory(ALWAYS, fs)).close();
  const checkpointed = takeImage(fs);
  assert.ok(checkpointed.has(NAME));
  const store = await openInMemory({ readOnly: true }, fs);
  assert.equal(store.stats().replay.checkpointKeys, Object.keys(opened.state).length);
  await store.close();
  return { image: checkpointed, opened };
}

/** The store must open as if there were none, by reading hints and segments. */
async function assertNotBelieved(image: DiskImage, opened: Opened, what: string): Promise<void> {
  const fs = fromImage(image);
  const store = await openInMemory({ readOnly: true }, fs);
  assert.deepEqual((await read(store)).state, opened.state, what);
  assert.equal(store.stats().replay.checkpointKeys, 0, `${what}: it was believed`);
  await store.close();
  assertUntouched(fs, image);
}

/** Puts the right checksum under a header that was changed. */
function withHeaderChecksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(CHECKPOINT_FIELDS.count, true);
  const end = CHECKPOINT_FIELDS.segments + count * 40;
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

test("a checkpoint cut anywhere is not believed", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  const random = new SeededRandom(1);
  const lengths = [...Array(300).keys(), checkpoint.length - 1, checkpoint.length - 8];
  for (let i = 0; i < 50; i++) lengths.push(random.below(checkpoint.length));
  for (const length of lengths) {
    const cut = withFile(image, NAME, checkpoint.subarray(0, length));
    await assertNotBelieved(cut, opened, `cut at ${length}`);
    if (length % 16 === 0) assert.equal((await problemsOf(cut)).length, 1);
  }
});

test("a checkpoint with a bit flipped is not believed", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  const random = new SeededRandom(2);
  // The header and the beginning of the first block; and anywhere.
  const bits = Array.from({ length: 180 * 8 }, (_, bit) => bit);
  for (let i = 0; i < 60; i++) bits.push(random.below(checkpoint.length * 8));
  for (const bit of bits) {
    const flipped = withFile(image, NAME, withBitFlipped(checkpoint, bit));
    await assertNotBelieved(flipped, opened, `bit ${bit}`);
    if (bit % 64 === 0) assert.equal((await problemsOf(flipped)).length, 1);
  }
});

test("checkpoints of other stores, of other states, and other files are not believed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeCheckpointed();
  const other = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  const others: Record<string, Uint8Array> = {
    "empty": new Uint8Array(0),
    "zeros": new Uint8Array(checkpoint.length),
    "longer": joined(checkpoint, new Uint8Array(1)),
    "doubled": joined(checkpoint, checkpoint),
    "a segment": bytesOf(image, "0000000001.log"),
    "a hint": bytesOf(image, "0000000001.hint"),
    "ACTIVE": bytesOf(image, "ACTIVE"),
    "that of another store": bytesOf(other.image, NAME),
  };
  for (const [what, bytes] of Object.entries(others)) {
    const wrong = withFile(image, NAME, bytes);
    await assertNotBelieved(wrong, opened, what);
    assert.equal((await problemsOf(wrong)).length, 1, what);
  }
});

test("each field that binds it to the log is held against the log", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  for (const segment of [0, 1, 2]) {
    for (const field of ["fileId", "coveredLength", "chain"] as const) {
      const at = CHECKPOINT_FIELDS.segments + segment * 40 + CHECKPOINT_SEGMENT_FIELDS[field];
      const wrong = checkpoint.slice();
      wrong[at]! ^= 1;
      const changed = withFile(image, NAME, withHeaderChecksum(wrong));
      await assertNotBelieved(changed, opened, `${field} of segment ${segment}`);
    }
  }
  for (const [what, at] of [["node id", 8], ["byte order", 24]] as const) {
    const wrong = checkpoint.slice();
    wrong[at]! ^= 1;
    await assertNotBelieved(withFile(image, NAME, withHeaderChecksum(wrong)), opened, what);
  }
  const recordCount = CHECKPOINT_FIELDS.segments + 2 * 40 + CHECKPOINT_SEGMENT_FIELDS.recordCount;
  const wrong = checkpoint.slice();
  wrong[recordCount]! ^= 1;
  await assertNotBelieved(withFile(image, NAME, withHeaderChecksum(wrong)), opened, "count");
});

test("damage to the mark that binds it to the log is damage to the log", async () => {
  const { image } = await writeCheckpointed();
  const log = SEGMENT_NAMES.at(-1)!;
  const bytes = bytesOf(image, log);
  for (let bit = (bytes.length - SYNC_FRAME_BYTES) * 8; bit < bytes.length * 8; bit++) {
    await mustRefuse(withFile(image, log, withBitFlipped(bytes, bit)));
  }
});

test("a checkpoint for more than the log holds is not believed", async () => {
  const { image } = await writeCheckpointed();
  const fs = fromImage(image);
  const store = await openInMemory(ALWAYS, fs);
  for (let i = 0; i < 10; i++) await store.set(`later ${i}`, "x");
  await store.close();
  const newer = bytesOf(takeImage(fs), NAME);
  // The log of before with the checkpoint of afterwards, as when files are copied one by one.
  const mixed = fromImage(withFile(image, NAME, newer));
  const found = await openInMemory({}, mixed);
  assert.equal(found.stats().replay.checkpointKeys, 0);
  assert.equal(await found.get("later 1"), undefined);
  await found.close();
});

test("a damaged checkpoint is removed, and written anew", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  for (const changed of [checkpoint.subarray(0, 50), withBitFlipped(checkpoint, 7000)]) {
    const fs = fromImage(withFile(image, NAME, changed));
    const store = await openInMemory(ALWAYS, fs);
    assert.equal(takeImage(fs).has(NAME), false);
    assert.deepEqual((await read(store)).state, opened.state);
    await store.close();
    assert.deepEqual(await problemsOf(takeImage(fs)), []);
    const again = await openInMemory({}, fs);
    assert.deepEqual((await read(again)).state, opened.state);
    assert.equal(again.stats().replay.checkpointKeys, again.size);
    await again.close();
  }
});

test("verify finds an entry that the log does not bear out, and one that is missing", async () => {
  const { image } = await writeCheckpointed();
  const checkpoint = bytesOf(image, NAME);
  const view = new DataView(checkpoint.buffer, checkpoint.byteOffset, checkpoint.byteLength);
  const aliveBytes = CHECKPOINT_FIELDS.segments + CHECKPOINT_SEGMENT_FIELDS.aliveBytes;
  const wrong = checkpoint.slice();
  wrong[aliveBytes]! ^= 1;
  const lacking = await problemsOf(withFile(image, NAME, withHeaderChecksum(wrong)));
  assert.equal(lacking.length, 1);
  assert.match(lacking[0]!, /CHECKPOINT at 0: lacks entries of segment 1/);
  // Every record in the index has its checksum; one of them is changed in the last block.
  const blocks: number[] = [];
  let at = CHECKPOINT_FIELDS.segments + 3 * 40 + 4;
  for (let length = view.getUint32(at, true); length > 0; length = view.getUint32(at, true)) {
    blocks.push(at);
    at += 8 + length;
  }
  const page = blocks.at(-1)!;
  const changed = checkpoint.slice();
  const crcOfFirstRecord = page + 8 + 4 * 4;
  changed[crcOfFirstRecord]! ^= 1;
  const body = changed.subarray(page + 8, page + 8 + view.getUint32(page, true));
  new DataView(changed.buffer).setUint32(page + 4, crc32(body), true);
  const problems = await problemsOf(withFile(image, NAME, changed));
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /has an entry for offset \d+ of segment 1 that is not there/);
  const report = await KvStore.verify(PATH, {
    fileSystem: fromImage(withFile(image, NAME, changed)),
  });
  assert.equal(report.problems[0]!.kind, "damage");
});
