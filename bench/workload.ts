/** The data that all benchmarks use: 16-byte keys in random order, values of 100 bytes. */

/** Keys of 16 bytes that share a prefix, in an order that repeats but has no pattern. */
export function makeKeys(count: number): string[] {
  const keys: string[] = new Array(count);
  for (let index = 0; index < count; index++) {
    keys[index] = `key:${String(index).padStart(12, "0")}`;
  }
  let state = 0x2545f491;
  for (let index = count - 1; index > 0; index--) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state ^= state << 7;
    const other = (state >>> 0) % (index + 1);
    const key = keys[index]!;
    keys[index] = keys[other]!;
    keys[other] = key;
  }
  return keys;
}

/** A value of `byteLength` bytes. */
export function makeValue(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, index) => (index * 31) & 0xff);
}
