/** Small stores whose every frame a test knows. */

import assert from "node:assert/strict";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { bytesOf, type DiskImage, takeImage, withFile } from "../support/disk_image.ts";
import { openInMemory } from "../support/test_store.ts";
import { clockAt } from "./repaired_store.ts";
import { framesIn, isRecord, segmentNames, type WrittenFrame } from "./written_records.ts";

/** The time at which the stores are written and repaired. */
export const NOW = 1_800_000_000_000;
/** The first segment of a store. */
export const FIRST_SEGMENT = "0000000001.log";

/** What a store left, closed. */
export async function writtenBy(
  write: (store: KvStore, fs: MemoryFileSystem) => Promise<void>,
  options: OpenOptions = {},
): Promise<DiskImage> {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ clock: clockAt(NOW), ...options }, fs);
  await write(store, fs);
  await store.close();
  return takeImage(fs);
}

/** Keys a to j, with versions 1 to 10, in one segment. */
export function tenKeys(options?: OpenOptions): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (const key of "abcdefghij") await store.set(key, key.repeat(50));
  }, options);
}

/** The record of a key, of several the last. */
export function recordOf(image: DiskImage, key: string): WrittenFrame {
  const record = segmentNames(image).flatMap((name) => framesIn(image, name))
    .findLast((frame) => isRecord(frame) && frame.key === key);
  assert(record !== undefined, `there is a record of ${key}`);
  return record;
}

/** The image with bytes of a file changed in place. */
export function changed(
  image: DiskImage,
  name: string,
  change: (bytes: Uint8Array) => Uint8Array | void,
): DiskImage {
  const bytes = bytesOf(image, name).slice();
  return withFile(image, name, change(bytes) ?? bytes);
}

/** The image with one byte of a frame changed, counted from the frame's beginning. */
export function harmed(image: DiskImage, frame: WrittenFrame, at: number): DiskImage {
  return changed(image, frame.name, (bytes) => {
    bytes[frame.offset + at]! ^= 0x55;
  });
}
