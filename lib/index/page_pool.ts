/**
 * Memory of the index: pages of equal size, cut from slabs of shared memory, used and used again.
 *
 * An address counts 4-byte words. Its upper bits name the slab, its lower 22 bits the word in that
 * slab, so one 32-bit number reaches 16 GiB and no object is needed to point at anything:
 *
 *     slab = address >>> 22        word = address & 0x3fffff
 *
 * Addresses are kept as signed 32-bit integers, which both JavaScript engines handle fastest; the
 * two expressions above hold for the signed and for the unsigned form. Memory that was never
 * touched costs no RAM (measured on Bun and Deno), so what a slab reserves ahead is free. The first
 * slab is smaller than the others, which merely leaves its remaining addresses unused.
 *
 * A pool that has become large makes each slab ahead of its use, for whom it knows to prepare it on
 * another thread. Where pages are needed before that is done, they come from a slab after it, and
 * the prepared one has its turn later.
 */

import { assert } from "../assert.ts";
import { type IndexImageReader, type IndexImageWriter, readWords } from "./index_image.ts";
import {
  SLAB_BYTES,
  SlabGrowth,
  type SlabGrowthMemory,
  type SlabOptions,
  type SlabPreparation,
  SLABS_MAX,
} from "./slab_growth.ts";

/** Bits of an address that name the word within its slab. */
export const SLAB_SHIFT = 22;
/** Mask of the word within a slab. */
export const SLAB_MASK = 0x3fffff;
/** Bits of an address that name the word within its page. */
export const PAGE_SHIFT = 15;
/** Words in a page. */
export const PAGE_WORDS = 1 << PAGE_SHIFT;
/** Bytes in a page. */
export const PAGE_BYTES = PAGE_WORDS * 4;

/** Words in a slab; fewer in the first one. */
export const SLAB_WORDS = 1 << SLAB_SHIFT;
const SLAB_WORDS_FIRST = 8 * PAGE_WORDS;
/** So many slabs are in use before one is prepared: a small pool takes no memory ahead of its need. */
export const SLABS_UNPREPARED = 6;
const UNPREPARED: SlabPreparation = { isReady: () => true };

assert(SLAB_MASK === SLAB_WORDS - 1, "the mask selects the word in a slab");
assert(SLABS_MAX * SLAB_WORDS === 2 ** 32, "an address is 32 bits");
assert(SLAB_BYTES === SLAB_WORDS * 4, "slabs are alike, shared or not");
assert(SLAB_WORDS_FIRST > PAGE_WORDS, "the first slab has a page beside the reserved one");

/** Hands out pages and takes them back. */
export class PagePool {
  /** The slabs by number. Only ever appended to. */
  readonly slabs: Int32Array[] = [];
  /** Pages handed out at least once. */
  pagesTouched = 0;
  /** Pages in use now. */
  pagesInUse = 0;

  readonly #slabFirst: number;
  #prepareSlab: SlabOptions["prepareSlab"];
  /** The slab that is being prepared: no page of it has been handed out. */
  #ahead: { number: number; preparation: SlabPreparation } | undefined;
  /** Where slabs are made that other threads must find; undefined while nobody shares the pool. */
  #growth: SlabGrowth | undefined;
  #fresh = 0;
  #freshEnd = 0;
  /** Whether the slab that these are in was prepared. */
  #isPrepared = false;
  readonly #free: number[] = [];
  /** Pages that were free in the image this pool was read from: they occupy no RAM yet. */
  #untouched: number[] = [];

  /** Creates a pool with one slab. */
  constructor({ slabFirst = 0, prepareSlab }: SlabOptions = {}) {
    assert(slabFirst >= 0 && slabFirst < SLABS_MAX, "the first slab is addressable");
    this.#slabFirst = slabFirst;
    this.#prepareSlab = prepareSlab;
    this.#addFirstSlab();
  }

  /** Pages that occupy RAM, or soon will: those handed out once, and the others of prepared slabs. */
  get pagesTaken(): number {
    const words = (this.#isPrepared ? this.#freshEnd - this.#fresh : 0) +
      (this.#ahead === undefined || this.#ahead.preparation === UNPREPARED ? 0 : SLAB_WORDS);
    return this.pagesTouched + words / PAGE_WORDS;
  }

  /** Returns the address of a page. A page used before still holds its old content. */
  allocate(): number {
    this.pagesInUse++;
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    this.pagesTouched++;
    const untouched = this.#untouched.pop();
    if (untouched !== undefined) return untouched;
    this.#ahead?.preparation.isReady();
    if (this.#fresh === this.#freshEnd) this.#beginSlab();
    const page = this.#fresh;
    this.#fresh += PAGE_WORDS;
    return page | 0;
  }

  /** Takes back a page from {@link allocate}. */
  release(page: number): void {
    assert(page !== 0 && (page & (PAGE_WORDS - 1)) === 0, "a page begins at a page boundary");
    assert(this.pagesInUse > 0, "a page is released once");
    this.pagesInUse--;
    this.#free.push(page | 0);
  }

  /** The memory of all pages, those included that are yet to come. */
  share(): { slabs: SharedArrayBuffer[]; growth: SlabGrowthMemory } {
    this.#growth ??= SlabGrowth.reserve(this.slabs.length);
    const { memory } = this.#growth;
    const slabs = this.slabs.slice(0, memory.firstSlab);
    return { slabs: slabs.map((slab) => slab.buffer as SharedArrayBuffer), growth: memory };
  }

  /** Writes which pages there are; `pages`, in ascending order, are those whose content is kept. */
  save(image: IndexImageWriter, pages: Uint32Array): void {
    // After the slab that pages come from there may be others, which are full or not yet begun.
    const slabCount = this.slabs.length;
    const isLast = this.#freshEnd > (slabCount - 1) * SLAB_WORDS;
    const fresh = isLast ? this.#fresh : slabCount * SLAB_WORDS;
    image.words(Int32Array.of(slabCount, fresh, pages.length));
    image.words(new Int32Array(pages.buffer, pages.byteOffset, pages.length));
  }

  /** Becomes the pool that was saved. Returns the pages whose content is to be read into it. */
  load(image: IndexImageReader): Uint32Array {
    const [slabCount, fresh, pageCount] = readWords(image, 3) as unknown as [
      number,
      number,
      number,
    ];
    image.expect(
      slabCount > this.#slabFirst && slabCount <= SLABS_MAX && pageCount >= 0 &&
        pageCount <= SLABS_MAX * SLAB_WORDS / PAGE_WORDS,
      "its number of pages is impossible",
    );
    this.slabs.length = 0;
    this.#addFirstSlab();
    while (this.slabs.length < slabCount) this.#addSlab(SLAB_WORDS);
    const isInLastSlab = (fresh & (PAGE_WORDS - 1)) === 0 &&
      (fresh >>> 0) >= (this.#fresh >>> 0) && (fresh >>> 0) <= this.#freshEnd;
    image.expect(isInLastSlab, "its number of pages is impossible");
    this.#fresh = fresh >>> 0;
    const pages = new Uint32Array(pageCount);
    image.words(new Int32Array(pages.buffer));
    this.#leaveOut(image, pages);
    this.pagesInUse = pageCount;
    this.pagesTouched = pageCount;
    return pages;
  }

  /** Notes the pages that are not among `pages` as free. */
  #leaveOut(image: IndexImageReader, pages: Uint32Array): void {
    this.#free.length = 0;
    this.#untouched = [];
    let next = 0;
    for (let slab = this.#slabFirst; slab < this.slabs.length; slab++) {
      const begin = slab * SLAB_WORDS;
      const end = slab === this.slabs.length - 1 ? this.#fresh : begin + this.slabs[slab]!.length;
      const first = slab === this.#slabFirst ? begin + PAGE_WORDS : begin;
      for (let page = first; page < end; page += PAGE_WORDS) {
        if (pages[next] === page) next++;
        else this.#untouched.push(page | 0);
      }
    }
    image.expect(next === pages.length, "it names a page that does not exist");
    // The lowest are used first.
    this.#untouched.reverse();
  }

  #addFirstSlab(): void {
    const hole = new Int32Array(new SharedArrayBuffer(0));
    while (this.slabs.length < this.#slabFirst) this.slabs.push(hole);
    this.#addSlab(SLAB_WORDS_FIRST);
    // The first page is never handed out: address 0 means "none" everywhere.
    this.#fresh += PAGE_WORDS;
  }

  /** Goes on with a slab of which no page has been handed out. */
  #beginSlab(): void {
    if (this.#ahead?.preparation.isReady()) {
      this.#takeFrom(this.#ahead.number, SLAB_WORDS);
      this.#isPrepared = this.#ahead.preparation !== UNPREPARED;
      this.#ahead = undefined;
    } else {
      this.#addSlab(SLAB_WORDS);
    }
    const count = this.slabs.length - this.#slabFirst;
    if (this.#prepareSlab === undefined || this.#ahead !== undefined) return;
    if (count < SLABS_UNPREPARED || this.slabs.length === SLABS_MAX) return;
    const number = this.slabs.length;
    const slab = this.#makeSlab(SLAB_WORDS);
    const preparation = this.#prepareSlab(slab);
    if (preparation === undefined) this.#prepareSlab = undefined;
    this.#ahead = { number, preparation: preparation ?? UNPREPARED };
  }

  #addSlab(words: number): void {
    const number = this.slabs.length;
    this.#makeSlab(words);
    this.#takeFrom(number, words);
  }

  #makeSlab(words: number): Int32Array {
    const number = this.slabs.length;
    assert(number < SLABS_MAX, "the index has no address left (16 GiB)");
    const slab = this.#growth === undefined
      ? new Int32Array(new SharedArrayBuffer(words * 4))
      : this.#growth.add(number);
    this.slabs.push(slab);
    return slab;
  }

  #takeFrom(number: number, words: number): void {
    this.#isPrepared = false;
    this.#fresh = number * SLAB_WORDS;
    this.#freshEnd = this.#fresh + words;
  }
}
