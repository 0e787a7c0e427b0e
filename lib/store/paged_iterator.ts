/** Iterations that get their items a page at a time. */

const NO_ITEMS: never[] = [];

/**
 * An iterator over the items of pages. It does what an async generator would do that yields them one
 * by one; but an item of a page that is there already is handed out at once, which takes a fraction
 * of the time.
 */
export class PagedIterator<Item> implements AsyncIterableIterator<Item> {
  #nextPage: () => Promise<readonly Item[] | undefined>;
  #page: readonly Item[] = NO_ITEMS;
  #at = 0;
  #isOver = false;
  /** The last call that had to wait, for as long as it does: calls are answered in their order. */
  #waiting: Promise<unknown> | undefined;

  /** `nextPage` returns the next items, at least one, or undefined at the end. */
  constructor(nextPage: () => Promise<readonly Item[] | undefined>) {
    this.#nextPage = nextPage;
  }

  /** The next item. */
  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#waiting === undefined && this.#at < this.#page.length) {
      return Promise.resolve({ done: false, value: this.#page[this.#at++]! });
    }
    return this.#inTurn(() => this.#advance());
  }

  /** Ends the iteration. */
  return(): Promise<IteratorResult<Item, undefined>> {
    return this.#inTurn(() => {
      this.#end();
      return Promise.resolve({ done: true, value: undefined });
    });
  }

  /** Ends the iteration with an error. */
  throw(error: unknown): Promise<IteratorResult<Item, undefined>> {
    return this.#inTurn(() => {
      this.#end();
      return Promise.reject(error);
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #advance(): Promise<IteratorResult<Item, undefined>> {
    if (this.#at === this.#page.length && !this.#isOver) {
      try {
        const page = await this.#nextPage();
        this.#page = page ?? NO_ITEMS;
        this.#at = 0;
        this.#isOver = page === undefined;
      } catch (error) {
        this.#end();
        throw error;
      }
    }
    return this.#isOver
      ? { done: true, value: undefined }
      : { done: false, value: this.#page[this.#at++]! };
  }

  #end(): void {
    this.#isOver = true;
    this.#page = NO_ITEMS;
    this.#at = 0;
  }

  #inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
    const result = this.#waiting === undefined ? call() : this.#waiting.then(call, call);
    this.#waiting = result;
    const isDone = () => {
      if (this.#waiting === result) this.#waiting = undefined;
    };
    result.then(isDone, isDone);
    return result;
  }
}
