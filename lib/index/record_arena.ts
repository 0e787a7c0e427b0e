/**
 * Where the records live: pages filled from front to back, one after the other.
 *
 * A freed record leaves a hole that is not filled. A page without a live record goes back to the
 * pool at once; a page more than half dead is evacuated: its live records are moved to the page
 * being filled, a few with every freed record, so that no single call takes long. The arena does
 * not know who holds the addresses of its records. The owner therefore asks for the records to
 * move ({@link RecordArena.nextToEvacuate}) and moves each of them.
 *
 * A page is evacuated once, after at least half of its words have died, and that takes a walk over
 * its own length. Every freed word grants several words of walking, more than the two that this
 * takes. Pages that come to be half dead at the same time wait for each other and may be deader by
 * then; but what is dead and not yet reclaimed stays bounded by what was alive before.
 */

import { assert } from "../assert.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { type IndexImageReader, type IndexImageWriter, readWords } from "./index_image.ts";
import { PAGE_SHIFT, PAGE_WORDS, type PagePool, SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { DEAD, FRAME_LENGTH, recordWords, recordWordsAt } from "./record_layout.ts";

/** Words of evacuation per freed word; more than 2, see above. */
const CREDIT_PER_WORD = 4;
/** The highest number of a page: addresses have 32 bits. */
const PAGE_NUMBER_MAX = (1 << (32 - PAGE_SHIFT)) - 1;
/** Further words of evacuation per freed record. */
const CREDIT_PER_RECORD = 16;

/** The page is not the arena's, or has nothing to be evacuated. */
const IDLE = 0;
/** The page waits in the list of pages to evacuate. */
const LISTED = 1;

assert(recordWords(KEY_BYTES_LIMIT, true) <= PAGE_WORDS, "the largest record fits a page");

/** Allocates and frees records. */
export class RecordArena {
  readonly #pool: PagePool;
  readonly #slabs: Int32Array[];

  // The page being filled.
  #page = 0;
  #pageUsedWords = 0;

  // By page number: how far it was filled, how many words of that are alive, and its state.
  #usedWords = new Int32Array(64);
  #liveWords = new Int32Array(64);
  #state = new Uint8Array(64);

  // A page that died while listed stays in the list; its state tells.
  readonly #listed: number[] = [];
  #evacuated = 0;
  #evacuatedWords = 0;
  #credit = 0;

  /** Creates an arena that takes its pages from `pool`. */
  constructor(pool: PagePool) {
    this.#pool = pool;
    this.#slabs = pool.slabs;
  }

  /** Returns the address of `words` words, to be filled with a record before anything else. */
  allocate(words: number): number {
    if (this.#page === 0 || this.#pageUsedWords + words > PAGE_WORDS) this.#openPage();
    const address = (this.#page + this.#pageUsedWords) | 0;
    this.#pageUsedWords += words;
    this.#liveWords[address >>> PAGE_SHIFT]! += words;
    return address;
  }

  /** Frees a record that nothing points at any more. */
  free(address: number): void {
    const view = this.#slabs[address >>> SLAB_SHIFT]!;
    const at = address & SLAB_MASK;
    assert(view[at + FRAME_LENGTH]! !== DEAD, "a record is freed once");
    const words = recordWordsAt(view, at);
    view[at + FRAME_LENGTH] = DEAD;
    const number = address >>> PAGE_SHIFT;
    const liveWords = this.#liveWords[number]! - words;
    assert(liveWords >= 0, "no more words die than lived");
    this.#liveWords[number] = liveWords;
    const page = (number << PAGE_SHIFT) | 0;
    if (page === this.#page) {
      if (liveWords === 0) this.#pageUsedWords = 0;
    } else if (liveWords === 0) {
      this.#releasePage(page);
    } else {
      this.#listIfSparse(number);
    }
  }

  /** Grants evacuation some work, in proportion to a record of `words` words that was freed. */
  grantEvacuation(words: number): void {
    this.#credit += words * CREDIT_PER_WORD + CREDIT_PER_RECORD;
  }

  /**
   * Returns the next live record to move elsewhere, or 0 when there is none or the granted work is
   * done. The caller copies it to newly allocated words, lets everything point there, and frees it
   * before asking again.
   */
  nextToEvacuate(): number {
    while (this.#credit > 0) {
      if (this.#evacuated === 0 && !this.#openEvacuation()) {
        this.#credit = 0;
        return 0;
      }
      const address = (this.#evacuated + this.#evacuatedWords) | 0;
      const view = this.#slabs[address >>> SLAB_SHIFT]!;
      const at = address & SLAB_MASK;
      const words = recordWordsAt(view, at);
      this.#evacuatedWords += words;
      this.#credit -= words;
      assert(
        this.#evacuatedWords <= this.#usedWords[address >>> PAGE_SHIFT]!,
        "a page is released when its last live record has been moved",
      );
      if (view[at + FRAME_LENGTH]! !== DEAD) return address;
    }
    return 0;
  }

  /** The pages that hold live records, and the one being filled. */
  pages(): number[] {
    const pages: number[] = [];
    for (let number = 0; number < this.#liveWords.length; number++) {
      const page = (number << PAGE_SHIFT) | 0;
      if (page !== 0 && (this.#liveWords[number]! > 0 || page === this.#page)) pages.push(page);
    }
    return pages;
  }

  /** Writes everything but the pages themselves. */
  save(image: IndexImageWriter): void {
    const pages = this.pages();
    image.words(Int32Array.of(this.#page, this.#pageUsedWords, pages.length));
    for (const page of pages) {
      const number = page >>> PAGE_SHIFT;
      image.words(Int32Array.of(number, this.#usedWords[number]!, this.#liveWords[number]!));
    }
  }

  /** Becomes the arena that was saved. Evacuation begins anew with the pages that need it. */
  load(image: IndexImageReader): void {
    const [page, usedWords, pageCount] = readWords(image, 3) as unknown as [number, number, number];
    image.expect(usedWords >= 0 && usedWords <= PAGE_WORDS, "a page is filled beyond its end");
    this.#page = page;
    this.#pageUsedWords = usedWords;
    for (let i = 0; i < pageCount; i++) {
      const [number, used, live] = readWords(image, 3) as unknown as [number, number, number];
      image.expect(number > 0 && number <= PAGE_NUMBER_MAX, "it names a page that does not exist");
      while (number >= this.#liveWords.length) this.#growBookkeeping();
      this.#usedWords[number] = used;
      this.#liveWords[number] = live;
      if (((number << PAGE_SHIFT) | 0) !== page) this.#listIfSparse(number);
    }
  }

  /** Bytes of bookkeeping beside the pages. */
  bookkeepingBytes(): number {
    return this.#usedWords.byteLength + this.#liveWords.byteLength + this.#state.byteLength;
  }

  #openPage(): void {
    const filled = this.#page;
    if (filled !== 0) {
      const number = filled >>> PAGE_SHIFT;
      this.#usedWords[number] = this.#pageUsedWords;
      this.#listIfSparse(number);
    }
    const page = this.#pool.allocate();
    const number = page >>> PAGE_SHIFT;
    while (number >= this.#liveWords.length) this.#growBookkeeping();
    assert(this.#liveWords[number] === 0, "a page taken from the pool holds no record");
    this.#page = page;
    this.#pageUsedWords = 0;
  }

  #listIfSparse(number: number): void {
    if (this.#state[number] === LISTED) return;
    if (this.#liveWords[number]! * 2 >= this.#usedWords[number]!) return;
    this.#state[number] = LISTED;
    this.#listed.push(number);
  }

  #openEvacuation(): boolean {
    for (;;) {
      const number = this.#listed.pop();
      if (number === undefined) return false;
      const page = (number << PAGE_SHIFT) | 0;
      // Released since, and perhaps even being filled again.
      if (this.#state[number] !== LISTED) continue;
      assert(page !== this.#page, "the page being filled is not listed");
      this.#evacuated = page;
      this.#evacuatedWords = 0;
      return true;
    }
  }

  #releasePage(page: number): void {
    if (page === this.#evacuated) this.#evacuated = 0;
    this.#state[page >>> PAGE_SHIFT] = IDLE;
    this.#pool.release(page);
  }

  #growBookkeeping(): void {
    const length = this.#liveWords.length * 2;
    const usedWords = new Int32Array(length);
    const liveWords = new Int32Array(length);
    const state = new Uint8Array(length);
    usedWords.set(this.#usedWords);
    liveWords.set(this.#liveWords);
    state.set(this.#state);
    this.#usedWords = usedWords;
    this.#liveWords = liveWords;
    this.#state = state;
  }
}
