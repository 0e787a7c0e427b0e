/** Values that look like a log: nothing in them may be taken for a record, whatever is damaged. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OP_DELETE, OP_SET } from "../../lib/format/record.ts";
import { bytesOf, type DiskImage, joined, takeImage, withFile } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";
import { pattern } from "../support/test_store.ts";
import { changed, FIRST_SEGMENT, harmed, NOW, recordOf, writtenBy } from "./prepared_stores.ts";
import { repairImage } from "./repaired_store.ts";

/** Frames that would do harm if they were believed: of any LSN around those of the store. */
function ghosts(): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let lsn = 1; lsn < 30; lsn++) {
    // Apart from one another, so that each is judged by itself.
    frames.push(makeFrame(OP_SET, lsn, `ghost ${lsn}`, new Uint8Array(10)), pattern(3));
    frames.push(makeFrame(OP_DELETE, lsn, "after"), pattern(5));
  }
  return joined(pattern(7), ...frames, pattern(5));
}

/** A store with such a value in the middle. */
function haunted(value: Uint8Array): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (const key of ["a", "b", "c"]) await store.set(key, key);
    await store.set("outer", value);
    for (const key of ["after", "x", "y", "z"]) await store.set(key, key);
  });
}

async function assertNoGhosts(image: DiskImage, message: string): Promise<void> {
  const { entries } = await repairImage(image, NOW);
  entries.delete("outer");
  assert.deepEqual([...entries.keys()].sort(), ["a", "after", "b", "c", "x", "y", "z"], message);
}

test("repair: frames in a sound value are never looked at", async () => {
  const image = await haunted(ghosts());
  await assertNoGhosts(image, "intact");
  await assertNoGhosts(withFile(image, "ACTIVE", undefined), "without ACTIVE");
  await assertNoGhosts(harmed(image, recordOf(image, "b"), 30), "the record before is damaged");
});

test("repair: frames in a damaged value stay in it, whichever byte is damaged", async () => {
  const image = await haunted(ghosts());
  const outer = recordOf(image, "outer");
  for (let at = 0; at < 40; at++) {
    await assertNoGhosts(harmed(image, outer, at), `byte ${at}`);
  }
  for (let at = 40; at < outer.length; at += 97) {
    await assertNoGhosts(harmed(image, outer, at), `byte ${at}`);
  }
  await assertNoGhosts(harmed(image, outer, outer.length - 1), "the checksum");
});

test("repair: frames in a value stay in it when its header is wiped out", async () => {
  const image = await haunted(ghosts());
  const outer = recordOf(image, "outer");
  for (const byte of [0, 0xff]) {
    const wiped = changed(image, FIRST_SEGMENT, (bytes) => {
      bytes.fill(byte, outer.offset, outer.offset + 40);
    });
    await assertNoGhosts(wiped, `filled with ${byte}`);
  }
});

test("repair: a value that holds a whole log of another store", async () => {
  const builder = new SegmentBuilder();
  for (let lsn = 1; lsn < 20; lsn++) builder.record(`ghost ${lsn}`, "x");
  builder.mark().batch(["ghost", "ghost 2"]).mark();
  const image = await haunted(builder.bytes);
  const outer = recordOf(image, "outer");
  for (const at of [0, 5, 6, 7, 15, 19, 23, 100, 500, outer.length - 2]) {
    await assertNoGhosts(harmed(image, outer, at), `byte ${at}`);
  }
});

test("repair: a value that is a copy of its own log, deleted keys and all", async () => {
  const image = await writtenBy(async (store, fs) => {
    await store.set("deleted", "1");
    for (const key of ["a", "b", "c"]) await store.set(key, key);
    await store.flush();
    const copy = bytesOf(takeImage(fs), FIRST_SEGMENT);
    await store.delete("deleted");
    await store.set("outer", copy);
    for (const key of ["after", "x", "y", "z"]) await store.set(key, key);
    await store.compact();
  });
  const outer = recordOf(image, "outer");
  for (const at of [0, 5, 6, 7, 15, 19, 23, 100, outer.length - 2]) {
    await assertNoGhosts(harmed(image, outer, at), `byte ${at}`);
  }
});
