/** A record of the index, chosen at random. */

import type { KeyIndex } from "../index/key_index.ts";
import type { RandomSource } from "../random.ts";

const TRIES = 32;

/**
 * The address of a record, or 0 if there is none. Hashes are spread evenly, and a shard is hit as
 * often as it is wide, so every key is about as likely as any other.
 */
export function randomAddress(index: KeyIndex, random: RandomSource): number {
  if (index.size === 0) return 0;
  const words = new Uint32Array(2);
  const addresses: number[] = [];
  const visit = (address: number) => void addresses.push(address);
  for (let tries = 0; addresses.length === 0 && tries < TRIES; tries++) {
    random.fill(new Uint8Array(words.buffer));
    index.visitNear(words[0]!, visit);
  }
  // So many empty shards are left behind when most keys were deleted: there are few.
  if (addresses.length === 0) {
    let cursor = 0;
    do cursor = index.walk(cursor, visit); while (cursor !== -1);
  }
  return addresses[words[1]! % addresses.length]!;
}
