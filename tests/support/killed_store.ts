/** Stores whose process was killed: what they leave behind, ready to be damaged further. */

import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { type DiskImage, fromImage, takeImage } from "./disk_image.ts";
import { openInMemory } from "./test_store.ts";

/** Name of the first segment. */
export const FIRST_LOG = "0000000001.log";

/** Runs `work` on a store and returns the files as they are when it is killed right after. */
export async function leftByKill(
  work: (store: KvStore) => Promise<unknown>,
  options: OpenOptions = {},
  from?: DiskImage,
): Promise<DiskImage> {
  return (await imagesOf(work, options, from)).killed;
}

/** As {@link leftByKill}, of a store that was closed. */
export async function leftByClose(
  work: (store: KvStore) => Promise<unknown>,
  options: OpenOptions = {},
  from?: DiskImage,
): Promise<DiskImage> {
  return (await imagesOf(work, options, from)).closed;
}

async function imagesOf(
  work: (store: KvStore) => Promise<unknown>,
  options: OpenOptions,
  from: DiskImage | undefined,
): Promise<{ killed: DiskImage; closed: DiskImage }> {
  const fs = from === undefined ? new MemoryFileSystem() : fromImage(from);
  const store = await openInMemory(options, fs);
  await work(store);
  const killed = takeImage(fs);
  await store.close();
  return { killed, closed: takeImage(fs) };
}
