/** What binds a hint file to its segment: the mark at the end of what it covers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { decodeActive, encodeActive } from "../../lib/format/active.ts";
import {
  decodeSyncMark,
  encodeSyncMark,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
  type SyncMark,
} from "../../lib/format/control_record.ts";
import { allocateBuffer, LSN_OFFSET, readU64 } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  bytesOf,
  fromImage,
  joined,
  takeImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { framesOf } from "../support/frames.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { HINT_NAMES, SEGMENT_NAMES, writeSegments } from "../support/segmented_store.ts";
import { mustOpen, mustRefuse, problemsOf, tryToOpen } from "../support/store_outcome.ts";
import { openInMemory, pattern } from "../support/test_store.ts";

test("a closed segment whose last mark is damaged is refused, in spite of its hint", async () => {
  const { image } = await writeSegments();
  const log = bytesOf(image, FIRST_LOG);
  for (let offset = log.length - SYNC_FRAME_BYTES; offset < log.length; offset++) {
    const damaged = withFile(image, FIRST_LOG, withBitFlipped(log, 8 * offset + offset % 8));
    const outcome = await tryToOpen(fromImage(damaged), { readOnly: true });
    assert(outcome instanceof KvError && outcome.code === "CorruptLog", `byte ${offset}`);
    const problems = JSON.stringify(await problemsOf(damaged));
    assert(problems.includes(FIRST_LOG) && problems.includes(HINT_NAMES[0]!), problems);
  }
});

/** A segment with its last mark changed, whose checksum holds all the same. */
function withLastMark(log: Uint8Array, change: (mark: SyncMark) => SyncMark): Uint8Array {
  const at = log.length - SYNC_FRAME_BYTES;
  const view = new DataView(log.buffer, log.byteOffset);
  const buffer = allocateBuffer(SYNC_FRAME_BYTES);
  encodeSyncMark(buffer, 0, change(decodeSyncMark(view, at, readU64(view, at + LSN_OFFSET))));
  return joined(log.subarray(0, at), buffer.bytes);
}

const CHANGES: Record<string, (mark: SyncMark) => SyncMark> = {
  "another file": (mark) => ({ ...mark, fileId: mark.fileId + 1 }),
  "another place": (mark) => ({ ...mark, ownOffset: mark.ownOffset - 1 }),
  "another version": (mark) => ({ ...mark, durableLsn: mark.durableLsn - 1 }),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`a closed segment that ends with a mark of ${what} is refused, in spite of its hint`, async () => {
    const { image } = await writeSegments();
    const changed = withLastMark(bytesOf(image, FIRST_LOG), change);
    await mustRefuse(withFile(image, FIRST_LOG, changed));
    assert.notDeepEqual(await problemsOf(withFile(image, FIRST_LOG, changed)), []);
  });
}

test("a hint that the disk cannot read is done without", async () => {
  const { image, opened } = await writeSegments();
  const fs = new FaultyFileSystem(fromImage(image));
  fs.fail = ({ what, name }) => what === "read" && name.endsWith(".hint") ? "EIO" : undefined;
  assert.deepEqual((await mustOpen(fs)).state, opened.state);
});

test("the hint of a longer segment, under the newest one's name, does no harm", async () => {
  const { image, opened } = await writeSegments();
  const name = SEGMENT_NAMES.at(-1)!.replace(".log", ".hint");
  const misplaced = withFile(image, name, bytesOf(image, HINT_NAMES[1]!));
  assert.deepEqual((await mustOpen(fromImage(misplaced))).state, opened.state);
});

test("what a hint covers was durable, also where ACTIVE could not be told", async () => {
  const base = new MemoryFileSystem();
  const fs = new FaultyFileSystem(base);
  const store = await openInMemory({}, fs);
  await store.set("a", pattern(5 << 20));
  await store.set("b", "2");
  fs.fail = ({ what, name }) => what === "create" && name === "ACTIVE.tmp" ? "ENOSPC" : undefined;
  await store.close();
  const image = takeImage(base);
  assert(image.has("0000000001.hint"), "the newest segment has a hint");
  const log = bytesOf(image, FIRST_LOG);
  const [, , last] = framesOf(log).slice(-3);
  await mustRefuse(withFile(image, FIRST_LOG, log.subarray(0, last!.offset)));
});

test("a hint that ends with a mark that does not seal leaves the sealing to the opening", async () => {
  const { image } = await writeSegments();
  const state = decodeActive(bytesOf(image, "ACTIVE"));
  assert(!("message" in state));
  // As if the first segment were not closed, and its last mark written before the last fsync.
  const segments = [{ fileId: 1, length: SEGMENT_FRAME_BYTES, chain: 0 }];
  const log = withLastMark(
    bytesOf(image, FIRST_LOG),
    (mark) => ({ ...mark, durableOffset: mark.durableOffset - 1 }),
  );
  const unsealed = new Map([
    [FIRST_LOG, log],
    [HINT_NAMES[0]!, bytesOf(image, HINT_NAMES[0]!)],
    ["ACTIVE", encodeActive({ ...state, segments })],
  ]);
  const fs = fromImage(unsealed);
  const store = await openInMemory({}, fs);
  assert.equal(store.stats().replay.hints, 1);
  const opened = bytesOf(takeImage(fs), FIRST_LOG);
  assert.equal(opened.length, log.length + SYNC_FRAME_BYTES);
  await store.close();
});
