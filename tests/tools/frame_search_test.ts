/** What counts as a frame where frame boundaries are lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OP_SET } from "../../lib/format/record.ts";
import { FrameSearch } from "../../lib/tools/frame_search.ts";
import { joined, withBitFlipped } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { memoryFile } from "../support/memory_file.ts";

const WINDOW_BYTES = 1 << 20;

test("search: only a frame whose checksum holds is one, within the window and beyond it", () => {
  for (const length of [10, WINDOW_BYTES + 10]) {
    const frame = makeFrame(OP_SET, 7, "key", new Uint8Array(length));
    for (const offset of [0, 5]) {
      const sound = joined(new Uint8Array(offset), frame);
      assert.equal(new FrameSearch(memoryFile(sound), sound.length).find(0), offset);
      const damaged = withBitFlipped(sound, 8 * (offset + 30));
      assert.equal(new FrameSearch(memoryFile(damaged), damaged.length).find(0), -1);
    }
  }
});
