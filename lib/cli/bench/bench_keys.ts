/** The keys and values of a benchmark: the same ones in every run, in orders without a pattern. */

const INDEX_DIGITS = 12;
/** For warming up what uses every key once. */
const SPARE_KEYS = 1000;
/** Values differ, so that no file system can store them as one. */
const VALUES = 64;
const SEED = 0x2545f491;

/** Keys that are numbered, all with one prefix that nothing else has. */
export class BenchKeys {
  readonly prefix: string;
  /** How many there are. */
  readonly count: number;
  readonly #keys: string[];
  readonly #values: Uint8Array[];
  #state = SEED;

  /** Makes `count` keys and some values of `valueBytes` bytes. */
  constructor(prefix: string, count: number, valueBytes: number) {
    this.prefix = prefix;
    this.count = count;
    this.#keys = Array.from({ length: count + SPARE_KEYS }, (_, index) => keyAt(prefix, index));
    this.#values = Array.from({ length: VALUES }, () => this.#randomBytes(valueBytes));
  }

  /** Length of a key. */
  get keyBytes(): number {
    return this.prefix.length + INDEX_DIGITS;
  }

  /** The key of this number, which may be beyond `count`. */
  at(index: number): string {
    return this.#keys[index % this.count]!;
  }

  /** One of those beyond `count`. */
  spare(index: number): string {
    return this.#keys[this.count + index % SPARE_KEYS]!;
  }

  /** Any of the first `count`. */
  any(count: number = this.count): string {
    return this.#keys[this.random(count)]!;
  }

  /** A value. */
  value(index: number): Uint8Array {
    return this.#values[index % VALUES]!;
  }

  /** A whole number below `limit`, which is less than 2^32. */
  random(limit: number): number {
    // George Marsaglia's xorshift: cheap, and good enough to spread keys.
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % limit;
  }

  /** The numbers below `count` in random order. */
  shuffled(): Uint32Array {
    const order = Uint32Array.from({ length: this.count }, (_, index) => index);
    for (let index = this.count - 1; index > 0; index--) {
      const other = this.random(index + 1);
      const moved = order[index]!;
      order[index] = order[other]!;
      order[other] = moved;
    }
    return order;
  }

  #randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index++) bytes[index] = this.random(256);
    return bytes;
  }
}

function keyAt(prefix: string, index: number): string {
  return prefix + String(index).padStart(INDEX_DIGITS, "0");
}
