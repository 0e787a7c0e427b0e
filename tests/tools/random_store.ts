/** Writes stores with everything in them that makes salvaging hard. */

import { Buffer } from "node:buffer";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { BatchOp } from "../../lib/store/types.ts";
import { bytesOf, type DiskImage, takeImage } from "../support/disk_image.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { LAZY, PATH } from "../support/test_store.ts";
import { clockAt } from "./repaired_store.ts";
import { segmentNames } from "./written_records.ts";

/**
 * Writes a store, some of whose records expire before `now`, and closes it, or not. With
 * `holdsCopies`, some values are pieces of the log itself.
 */
export async function writeRandomStore(
  random: SeededRandom,
  now: number,
  holdsCopies: boolean,
): Promise<DiskImage> {
  const fs = new MemoryFileSystem();
  let time = now - 1_000_000;
  const store = await KvStore.open(PATH, {
    fileSystem: fs,
    clock: { ...clockAt(now), now: () => time },
    segmentBytesMax: random.pick([4096, 8192, 65_536]),
    durability: random.chance(0.5) ? LAZY : "immediate",
    compaction: { auto: false },
  });
  const rounds = random.between(1, 4);
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && random.chance(0.5)) {
      await store.flush();
      await store.compact();
    }
    const count = random.between(1, 60);
    for (let op = 0; op < count; op++) await writeSomething(store, fs, random, holdsCopies);
    if (random.chance(0.5)) await store.flush();
  }
  await store.flush();
  if (random.chance(0.3)) {
    const image = takeImage(fs);
    await store.close();
    return image;
  }
  await store.close();
  time = now;
  return takeImage(fs);
}

async function writeSomething(
  store: KvStore,
  fs: MemoryFileSystem,
  random: SeededRandom,
  holdsCopies: boolean,
): Promise<void> {
  const key = `key ${random.below(25)}`;
  const what = random.fraction();
  if (what < 0.15) {
    if (store.has(key)) await store.delete(key);
  } else if (what < 0.3) {
    const ops: BatchOp[] = Array.from({ length: random.between(2, 5) }, () => {
      const other = `key ${random.below(25)}`;
      return random.chance(0.2) && store.has(other)
        ? { op: "set", key: other, value: "" }
        : { op: "set", key: other, value: someValue(fs, random, holdsCopies) };
    });
    await store.batch(ops);
  } else {
    const ttl = random.chance(0.2) ? { ttl: random.pick([1000, 1_000_000_000]) } : {};
    await store.set(key, someValue(fs, random, holdsCopies), ttl);
  }
}

/** Mostly noise; now and then a copy of the log itself, marks and all. */
function someValue(fs: MemoryFileSystem, random: SeededRandom, holdsCopies: boolean): Uint8Array {
  if (!holdsCopies || random.chance(0.9)) return random.bytes(random.pick([0, 3, 20, 100, 300]));
  const image = takeImage(fs);
  const log = Buffer.from(bytesOf(image, random.pick(segmentNames(image))));
  const start = random.below(log.length);
  return new Uint8Array(log.subarray(start, start + random.between(1, 3000)));
}
