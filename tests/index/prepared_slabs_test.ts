/** Slabs that are prepared ahead of their use, and are left alone meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PAGE_SHIFT,
  PagePool,
  SLAB_SHIFT,
  SLAB_WORDS,
  SLABS_UNPREPARED,
} from "../../lib/index/page_pool.ts";
import { SlabGrowth, type SlabPreparation } from "../../lib/index/slab_growth.ts";
import { Image } from "../support/memory_image.ts";

const PAGES_PER_SLAB = SLAB_WORDS >>> PAGE_SHIFT;
/** Pages of all slabs that are in use before one is prepared: the first slab is smaller. */
const PAGES_UNPREPARED = 7 + (SLABS_UNPREPARED - 1) * PAGES_PER_SLAB;

/** Prepares slabs when it is told to. */
class Preparer {
  readonly slabs: Int32Array[] = [];
  ready = 0;

  prepare = (slab: Int32Array): SlabPreparation => {
    const number = this.slabs.push(slab);
    return { isReady: () => number <= this.ready };
  };
}

function take(pool: PagePool, count: number): number[] {
  return Array.from({ length: count }, () => pool.allocate());
}

function slabOf(pool: PagePool, page: number): Int32Array {
  return pool.slabs[page >>> SLAB_SHIFT]!;
}

/** The pages as an image has them. */
function ascending(pages: readonly number[]): Uint32Array {
  return Uint32Array.from(pages).sort();
}

test("a small pool prepares nothing, a larger one a slab at a time", () => {
  const preparer = new Preparer();
  const pool = new PagePool({ prepareSlab: preparer.prepare });
  take(pool, PAGES_UNPREPARED - PAGES_PER_SLAB);
  assert.equal(preparer.slabs.length, 0);
  assert.equal(pool.pagesTaken, pool.pagesTouched);
  take(pool, PAGES_PER_SLAB);
  assert.equal(preparer.slabs.length, 1);
  preparer.ready = 1;
  const page = pool.allocate();
  assert.equal(slabOf(pool, page), preparer.slabs[0], "what is ready is used");
  assert.equal(preparer.slabs.length, 2);
  const ahead = 2 * PAGES_PER_SLAB - 1;
  assert.equal(pool.pagesTaken, pool.pagesTouched + ahead, "prepared pages count as memory");
  take(pool, PAGES_PER_SLAB);
  const taken = pool.pagesTouched + PAGES_PER_SLAB;
  assert.equal(pool.pagesTaken, taken, "others that were not handed out do not");
});

test("no page comes from a slab before it is ready, and all of them do afterwards", () => {
  const preparer = new Preparer();
  const pool = new PagePool({ prepareSlab: preparer.prepare });
  const pages = take(pool, PAGES_UNPREPARED + 3 * PAGES_PER_SLAB - 1);
  assert.equal(preparer.slabs.length, 1, "no other is prepared meanwhile");
  const [late] = preparer.slabs;
  assert(pages.every((page) => slabOf(pool, page) !== late));
  preparer.ready = 1;
  pages.push(pool.allocate());
  assert.notEqual(slabOf(pool, pages.at(-1)!), late, "the slab that was begun comes first");
  const rest = take(pool, PAGES_PER_SLAB);
  assert(rest.every((page) => slabOf(pool, page) === late));
  assert.equal(preparer.slabs.length, 2);
  assert.equal(new Set([...pages, ...rest]).size, pages.length + PAGES_PER_SLAB);
});

test("where nothing can be prepared nobody is asked again, and no slab is lost", () => {
  let asked = 0;
  const pool = new PagePool({
    prepareSlab: () => {
      asked++;
      return undefined;
    },
  });
  const pages = take(pool, PAGES_UNPREPARED + 2 * PAGES_PER_SLAB);
  assert.equal(asked, 1);
  assert.equal(pool.slabs.length, SLABS_UNPREPARED + 2);
  assert.equal(pool.pagesTaken, pool.pagesTouched);
  assert.deepEqual(pages, take(new PagePool(), pages.length));
});

test("a slab is prepared where other threads find it", () => {
  const preparer = new Preparer();
  const pool = new PagePool({ prepareSlab: preparer.prepare });
  const { growth } = pool.share();
  take(pool, PAGES_UNPREPARED + 1);
  preparer.ready = 1;
  const page = take(pool, PAGES_PER_SLAB).at(-1)!;
  assert.equal(slabOf(pool, page), preparer.slabs[0]);
  slabOf(pool, page)[0] = 123;
  assert.equal(new SlabGrowth(growth).find(page >>> SLAB_SHIFT)![0], 123);
});

test("an image may be saved whatever is being prepared", () => {
  const preparer = new Preparer();
  const pool = new PagePool({ prepareSlab: preparer.prepare });
  const pages = take(pool, PAGES_UNPREPARED - PAGES_PER_SLAB);
  for (let step = 0; step < 8; step++) {
    const image = new Image();
    pool.save(image, ascending(pages));
    const loaded = new PagePool();
    assert.deepEqual(loaded.load(image.rewind()), ascending(pages), `step ${step}`);
    // It has all that were not in use, in slabs that are there.
    const more = take(loaded, 2 * PAGES_PER_SLAB);
    assert.equal(new Set([...pages, ...more]).size, pages.length + more.length);
    assert(more.every((page) => slabOf(loaded, page) !== undefined));
    assert(loaded.slabs.length <= pool.slabs.length + 2);
    // The first slab is prepared late, the others in time.
    if (step === 4) preparer.ready = 1000;
    pages.push(...take(pool, 0.75 * PAGES_PER_SLAB));
  }
  assert(preparer.slabs.length > 2);
});
