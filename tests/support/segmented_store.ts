/** A store of several segments with hint files, closed; and what it holds. */

import assert from "node:assert/strict";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { type DiskImage, takeImage } from "./disk_image.ts";
import { type Opened, read } from "./store_outcome.ts";
import { openInMemory, turn } from "./test_store.ts";

/** Names of the segments of {@link writeSegments}, the active one last. */
export const SEGMENT_NAMES = ["0000000001.log", "0000000002.log", "0000000003.log"];
/** Names of their hint files; the active one has none. */
export const HINT_NAMES = ["0000000001.hint", "0000000002.hint"];

const SEGMENT_BYTES = 4096;
/** So long that nothing else fits its segment. */
const LONG_VALUE = "long ".repeat(790);

/**
 * Sets, overwrites, deletes, batches and expiring values, one group after the other, in a short
 * closed segment; one long value in the next; and a few records in the active one.
 */
export async function writeSegments(): Promise<{ image: DiskImage; opened: Opened }> {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ segmentBytesMax: SEGMENT_BYTES }, fs);
  await store.set("a", "1");
  await store.set("b", "2", { ttl: 3_600_000 });
  await store.batch([
    { op: "set", key: "c", value: "3" },
    { op: "set", key: "a", value: "11" },
    { op: "set", key: "d", value: "4" },
  ]);
  await store.delete("d");
  await store.set("e", "5");
  await store.set("long", LONG_VALUE);
  await store.set("c", "33");
  await store.set("f", "6");
  assert.equal(store.stats().segments, SEGMENT_NAMES.length);
  // Hint files are written in the background.
  for (let turns = 0; fs.stat(`/store/wal/${HINT_NAMES.at(-1)}`) === undefined; turns++) {
    assert(turns < 1000, "hint files are written");
    await turn();
  }
  const opened = await read(store);
  await store.close();
  const image = takeImage(fs);
  assert.deepEqual([...image.keys()], [
    ...HINT_NAMES.flatMap((name, index) => [name, SEGMENT_NAMES[index]]),
    SEGMENT_NAMES.at(-1),
    "ACTIVE",
    "NODE_ID",
  ]);
  return { image, opened };
}

/** The image without its hint files. */
export function withoutHints(image: DiskImage): DiskImage {
  return new Map([...image].filter(([name]) => !name.endsWith(".hint")));
}
