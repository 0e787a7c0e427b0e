/** Segments whose every frame is sound, and which are not those that were written. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeActive, encodeActive } from "../../lib/format/active.ts";
import {
  decodeSyncMark,
  encodeSyncMark,
  SYNC_FRAME_BYTES,
} from "../../lib/format/control_record.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import { HINT_FIELDS } from "../../lib/format/hint.ts";
import { allocateBuffer } from "../../lib/format/record.ts";
import { bytesOf, withFile } from "../support/disk_image.ts";
import { framesOf } from "../support/frames.ts";
import {
  HINT_NAMES,
  SEGMENT_NAMES,
  withoutHints,
  writeSegments,
} from "../support/segmented_store.ts";
import { problemsOf } from "../support/store_outcome.ts";
import { changed } from "./prepared_stores.ts";

const [FIRST] = SEGMENT_NAMES;

test("verify: a closed segment cut between two frames", async () => {
  const { image } = await writeSegments();
  const log = bytesOf(image, FIRST!);
  for (const { offset } of framesOf(log).slice(1)) {
    const cut = withFile(withoutHints(image), FIRST!, log.subarray(0, offset));
    assert.equal((await problemsOf(cut)).length, 1, `cut at ${offset}`);
  }
});

test("verify: a closed segment of the same length that ends with another mark", async () => {
  const { image } = await writeSegments();
  const other = changed(withoutHints(image), FIRST!, (bytes) => {
    const at = bytes.length - SYNC_FRAME_BYTES;
    const mark = decodeSyncMark(new DataView(bytes.buffer, bytes.byteOffset), at, 1);
    const buffer = allocateBuffer(SYNC_FRAME_BYTES);
    encodeSyncMark(buffer, 0, { ...mark, durableLsn: 1 });
    bytes.set(buffer.bytes, at);
  });
  assert.equal((await problemsOf(other)).length, 1);
});

test("verify: segments in the wrong order", async () => {
  const { image } = await writeSegments();
  const swapped = changed(withoutHints(image), "ACTIVE", (bytes) => {
    const state = decodeActive(bytes);
    assert(!("message" in state));
    const [first, second, third] = state.segments;
    return encodeActive({ ...state, segments: [second!, first!, third!] });
  });
  assert.match((await problemsOf(swapped)).join("\n"), /overlap/);
});

test("verify: a hint file bound to another chain of frames", async () => {
  const { image } = await writeSegments();
  const rebound = changed(image, HINT_NAMES[0]!, (bytes) => {
    bytes[HINT_FIELDS.chain]! ^= 1;
    new DataView(bytes.buffer, bytes.byteOffset)
      .setUint32(HINT_FIELDS.crc, crc32(bytes, 0, HINT_FIELDS.crc), true);
  });
  assert.match((await problemsOf(rebound)).join("\n"), /another state/);
});

test("verify: a hint entry with another checksum than its record", async () => {
  const { image } = await writeSegments();
  const lying = changed(image, HINT_NAMES[0]!, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = view.getUint32(40, true);
    // The first entry's checksum ends its 21 bytes of fields.
    bytes[48 + 17]! ^= 1;
    view.setUint32(44, crc32(bytes, 48, 48 + length), true);
  });
  assert.match((await problemsOf(lying)).join("\n"), /is not there/);
});
