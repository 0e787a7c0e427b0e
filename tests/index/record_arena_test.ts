import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyIndex } from "../../lib/index/key_index.ts";
import { PAGE_BYTES, PAGE_WORDS, PagePool } from "../../lib/index/page_pool.ts";
import { RecordArena } from "../../lib/index/record_arena.ts";
import { writeHeader } from "../../lib/index/record_layout.ts";
import { IndexModel, SeededRandom } from "./index_model.ts";

function addRecord(pool: PagePool, arena: RecordArena, words: number): number {
  const address = arena.allocate(words);
  const view = pool.slabs[address >>> 22]!;
  writeHeader(view, address & 0x3fffff, 1, (words - 7) * 4, 1, 1, 1, 1, 1, 0);
  return address;
}

test("deleting most keys frees their memory and leaves the others intact", () => {
  for (const ordered of [false, true]) {
    const model = new IndexModel();
    if (ordered) { while (!model.index.buildOrder(1)); }
    const name = (i: number) => `a key that takes some room, number ${i}`;
    for (let i = 0; i < 40_000; i++) model.set(name(i), i % 3);
    const before = model.index.usedBytes();
    for (let i = 0; i < 40_000; i++) if (i % 20 !== 7) model.delete(name(i));
    model.check();
    // Left are the shards, the leaves, and a twentieth of the records, up to half of it holes.
    assert.ok(model.index.usedBytes() < before * 0.45, `${model.index.usedBytes()} of ${before}`);
    for (const key of [...model.entries.keys()]) model.delete(key);
    model.check();
    assert.ok(model.index.usedBytes() < (ordered ? 14 : 8) * PAGE_BYTES);
  }
});

test("long churn does not grow memory", () => {
  const model = new IndexModel();
  const random = new SeededRandom(11);
  const name = (i: number) => `${i}${"#".repeat((i * 7) % 90)}`;
  for (let i = 0; i < 12_000; i++) model.set(name(i));
  let settled = 0;
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 12_000; i++) {
      const key = name(random.below(12_000));
      model.delete(key);
      model.set(key, random.below(2));
    }
    if (round === 2) settled = model.index.memoryBytes();
  }
  model.check();
  assert.ok(model.index.memoryBytes() <= settled + 2 * PAGE_BYTES);
});

test("records of very different sizes are evacuated as well", () => {
  const model = new IndexModel();
  const random = new SeededRandom(12);
  const name = (i: number) => `${i}${"#".repeat(i % 10 === 0 ? (i * 431) % 40_000 : i % 50)}`;
  for (let step = 0; step < 12_000; step++) {
    const key = name(random.below(2000));
    if (model.entries.has(key)) model.delete(key);
    else model.set(key, random.below(2));
  }
  model.check();
  const { index } = model;
  assert.ok(index.usedBytes() < 3 * index.keyBytes() + 10 * PAGE_BYTES);
});

test("one key, set and deleted for long, stays on one page", () => {
  const index = new KeyIndex({ hashSeed: 3 });
  const key = new Uint8Array(1000);
  const hash = index.hash(key, 0, key.length);
  for (let i = 1; i < 5000; i++) {
    const address = index.insert(hash, key, 0, key.length, 1, 1, 1, 1, i, 0);
    index.remove(index.update(address, 1, 1, 1, 1, i, 5));
  }
  assert.ok(index.memoryBytes() < 4 * PAGE_BYTES + 300_000);
});

test("update returns where the record is after the evacuation it caused", () => {
  const model = new IndexModel();
  for (let i = 0; i < 6000; i++) model.set(`${i}`);
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 6000; i++) {
      // set() checks the record at the returned address.
      if (i % 7 !== 0) model.set(`${i}`, (i + round) % 2);
    }
  }
  model.check();
});

test("update returns where a long record is after the evacuation it caused", () => {
  const model = new IndexModel();
  // Long records grant so much evacuation at once that the page of the new one may come up, too.
  // That is rare; it happens with this seed.
  const random = new SeededRandom(4);
  const name = (i: number) => `${i}`.padEnd(i % 3 === 0 ? 60_000 : 1 + (i * 7919) % 50_000, "#");
  for (let step = 0; step < 2000; step++) {
    const key = name(random.below(60));
    if (random.below(4) === 0) model.delete(key);
    else model.set(key, random.below(2));
  }
  model.check();
});

test("a page that dies while it is being filled is evacuated afterwards", () => {
  const pool = new PagePool();
  const arena = new RecordArena(pool);
  const words = 1000;
  const addresses: number[] = [];
  for (let used = words; used <= PAGE_WORDS; used += words) {
    addresses.push(addRecord(pool, arena, words));
  }
  const [kept, ...others] = addresses;
  for (const address of others) arena.free(address);
  arena.grantEvacuation(words);
  assert.equal(arena.nextToEvacuate(), 0, "the page being filled stays");
  addRecord(pool, arena, words);
  arena.grantEvacuation(words);
  assert.equal(arena.nextToEvacuate(), kept);
  assert.equal(pool.pagesInUse, 2);
  arena.free(kept!);
  assert.equal(pool.pagesInUse, 1);
  assert.equal(arena.nextToEvacuate(), 0);
});

test("a page that dies while it waits for evacuation is left alone", () => {
  const pool = new PagePool();
  const arena = new RecordArena(pool);
  const addresses = Array.from({ length: 4 * 32 }, () => addRecord(pool, arena, 1000));
  for (const address of addresses.slice(0, 64)) arena.free(address);
  assert.equal(pool.pagesInUse, 2);
  arena.grantEvacuation(PAGE_WORDS);
  assert.equal(arena.nextToEvacuate(), 0);
});

test("pages of records serve as shards afterwards", () => {
  const model = new IndexModel();
  for (let i = 0; i < 4000; i++) model.set(`${i}`.padEnd(1000, "#"));
  const touched = model.index.memoryBytes();
  for (const key of [...model.entries.keys()]) model.delete(key);
  for (let i = 0; i < 50_000; i++) model.set(`${i}`);
  model.check();
  assert.ok(model.index.memoryBytes() < touched + 2 * PAGE_BYTES);
});

test("what is freed twice, or was never allocated, is noticed", () => {
  const arena = new RecordArena(new PagePool());
  const pool = new PagePool();
  const page = pool.allocate();
  assert.throws(() => pool.release(page + 1), /boundary/);
  pool.release(page);
  assert.throws(() => pool.release(page), /once/);
  assert.equal(pool.allocate(), page);
  const address = arena.allocate(10);
  arena.allocate(10);
  arena.free(address);
  assert.throws(() => arena.free(address), /once/);

  const index = new KeyIndex({ hashSeed: 3 });
  const key = new Uint8Array(8);
  const record = index.insert(1, key, 0, 8, 1, 1, 1, 1, 1, 0);
  index.remove(record);
  assert.throws(() => index.remove(record), /alive/);
  assert.throws(() => index.update(record, 1, 1, 1, 1, 1, 0), /alive/);
  assert.throws(() => index.relocate(record, 1, 1), /alive/);
});

test("pages are aligned, distinct, and never at address 0", () => {
  const pool = new PagePool();
  const pages = new Set<number>();
  for (let i = 0; i < 300; i++) {
    const page = pool.allocate();
    assert.equal(page & (PAGE_WORDS - 1), 0);
    assert.notEqual(page, 0);
    const view = pool.slabs[page >>> 22]!;
    assert.ok((page & 0x3fffff) + PAGE_WORDS <= view.length);
    pages.add(page);
  }
  assert.equal(pages.size, 300);
  assert.equal(pool.pagesTouched, 300);
});
