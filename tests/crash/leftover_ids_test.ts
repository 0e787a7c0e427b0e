/** Ids of files that a crash left behind: they are not given out again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, fromImage, withFile } from "../support/disk_image.ts";
import { FIRST_LOG, leftByClose } from "../support/killed_store.ts";
import { openInMemory, segmentIds } from "../support/test_store.ts";

const LEFTOVER_ID = 7;

test("the id of a segment that never became part of the log is not used again", async () => {
  const image = await leftByClose((store) => store.set("a", "1"));
  const header = bytesOf(image, FIRST_LOG).subarray(0, 10);
  for (const suffix of [".log", ".hint", ".hint.tmp"]) {
    const fs = fromImage(withFile(image, `000000000${LEFTOVER_ID}${suffix}`, header));
    const closed = await openInMemory({ segmentBytesMax: 4096 }, fs);
    assert.deepEqual(segmentIds(fs), [1], "the leftover is gone");
    await closed.close();
    const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
    for (let key = 0; store.stats().segments === 1; key++) {
      await store.set(`k${key}`, "v".repeat(500));
    }
    assert.deepEqual(segmentIds(fs), [1, LEFTOVER_ID + 1]);
    await store.close();
  }
});
