import assert from "node:assert/strict";
import { test } from "node:test";
import { BUCKET_MASK } from "../../lib/index/hash_shard.ts";
import { PAGE_WORDS, PagePool, SLAB_MASK, SLAB_SHIFT } from "../../lib/index/page_pool.ts";
import { RecordArena } from "../../lib/index/record_arena.ts";
import { recordWords, writeHeader } from "../../lib/index/record_layout.ts";
import { ShardTable } from "../../lib/index/shard_table.ts";

/** The key of no record here: all of these have only zeros. */
const NO_KEY = Uint8Array.of(1);

test("a split brings records that wrapped around back to their bucket", () => {
  const pool = new PagePool();
  const arena = new RecordArena(pool);
  const pageOfFirst = pool.allocate();
  pool.release(pageOfFirst);
  const shards = new ShardTable(pool);
  const source = shards.add();
  const target = shards.add();
  const add = (hash: number): number => {
    const address = arena.allocate(recordWords(1, false));
    const view = pool.slabs[address >>> SLAB_SHIFT]!;
    writeHeader(view, address & SLAB_MASK, hash, 1, 1, 1, 1, 1, 1, 0);
    shards.insert(source, hash, address, ~address);
    return address;
  };
  const hintOf = (shard: number, hash: number, address: number): number | undefined => {
    const hints: number[] = [];
    shards.find(shard, hash, NO_KEY, 0, 1, { touch: (hint) => void hints.push(hint) });
    return hints.find((hint) => hint === ~address);
  };
  const addressesOf = (shard: number): number[] => {
    const addresses: number[] = [];
    shards.visit(shard, (address) => void addresses.push(address));
    return addresses.sort((a, b) => a - b);
  };
  // The last bucket overflows into the first one, and has room again when the split comes.
  const stays = BUCKET_MASK | (7 << 11);
  const moves = stays | (1 << 31);
  const staying = Array.from({ length: 20 }, () => add(stays));
  const moving = Array.from({ length: 10 }, () => add(moves));
  for (const address of staying.splice(0, 5)) shards.remove(source, stays, address);
  shards.moveRecords(source, target, 31);
  assert.deepEqual(addressesOf(source), staying);
  assert.deepEqual(addressesOf(target), moving);
  for (const address of staying) assert.equal(hintOf(source, stays, address), ~address);
  for (const address of moving) assert.equal(hintOf(target, moves, address), ~address);
  for (const address of staying) shards.remove(source, stays, address);
  for (const address of moving) shards.remove(target, moves, address);
  // Not even a count of records that passed over a bucket has remained.
  const view = pool.slabs[pageOfFirst >>> SLAB_SHIFT]!;
  const base = pageOfFirst & SLAB_MASK;
  assert.ok(view.subarray(base, base + PAGE_WORDS).every((word) => word === 0));
});
