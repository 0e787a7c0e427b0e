/** How many long values may be on their way from the disk at once, of all connections together. */

/** Lets some reads begin, and others wait for their turn. */
export class ReadSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** So many at once. */
  constructor(max: number) {
    this.#free = max;
  }

  /** Runs `read` as soon as it may begin, first come, first served. */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
