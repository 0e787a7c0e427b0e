/** The hash of a key: MurmurHash3 (32 bit) over big-endian words, with the seed mixed into each. */

/**
 * Hashes `length` bytes of `bytes` from `start`. The result is a signed 32-bit integer, the form
 * that both engines keep unboxed.
 *
 * Plain MurmurHash3 has sets of keys that collide under every seed. The seed is therefore also
 * mixed into each word before the multiplications, so that such a set must be found anew for each
 * seed. Bytes are read one by one: keys lie at any alignment.
 */
export function hashKey(bytes: Uint8Array, start: number, length: number, seed: number): number {
  let hash = seed | 0;
  let at = start;
  const wordsEnd = start + (length & ~3);
  while (at < wordsEnd) {
    const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) |
      bytes[at + 3]!;
    let mixed = Math.imul(word ^ seed, 0xcc9e2d51);
    mixed = (mixed << 15) | (mixed >>> 17);
    hash ^= Math.imul(mixed, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
    at += 4;
  }
  const rest = length & 3;
  if (rest > 0) {
    let word = bytes[at]! << 24;
    if (rest > 1) word |= bytes[at + 1]! << 16;
    if (rest > 2) word |= bytes[at + 2]! << 8;
    let mixed = Math.imul(word ^ seed, 0xcc9e2d51);
    mixed = (mixed << 15) | (mixed >>> 17);
    hash ^= Math.imul(mixed, 0x1b873593);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
