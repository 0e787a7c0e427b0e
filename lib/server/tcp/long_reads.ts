/**
 * Reads of long values, for all connections of a server: so many bytes at once, and in turn. How many
 * clients ask for one does not decide how many are in memory.
 */

interface Waiting {
  readonly byteLength: number;
  readonly begin: () => void;
}

/** Takes turns. */
export class LongReads {
  readonly #bytesMax: number;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  /** At most `bytesMax` bytes are read at once; a longer value is read alone. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Calls `read` when there is room for so many bytes, at once as a rule; settles as it does. For a
   * client that has left meanwhile nothing is read, and undefined is what it does not get.
   */
  async read<Value>(
    byteLength: number,
    read: () => Promise<Value>,
    hasLeft: () => boolean,
  ): Promise<Value | undefined> {
    if (this.#waiting.length > 0 || !this.#fits(byteLength)) {
      await new Promise<void>((begin) => this.#waiting.push({ byteLength, begin }));
    } else this.#bytes += byteLength;
    try {
      return hasLeft() ? undefined : await read();
    } finally {
      this.#bytes -= byteLength;
      this.#beginNext();
    }
  }

  #fits(byteLength: number): boolean {
    return this.#bytes === 0 || this.#bytes + byteLength <= this.#bytesMax;
  }

  #beginNext(): void {
    let begun = 0;
    for (const { byteLength, begin } of this.#waiting) {
      if (!this.#fits(byteLength)) break;
      this.#bytes += byteLength;
      begin();
      begun++;
    }
    this.#waiting.splice(0, begun);
  }
}
