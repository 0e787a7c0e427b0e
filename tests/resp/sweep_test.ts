/** What looks at all keys: cursors that lose nothing, patterns, and deleting everything. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SCAN_CURSORS_MAX } from "../../lib/limits.ts";
import { ScanCursors } from "../../lib/server/tcp/resp/scan_cursors.ts";
import { type RespPeer, RespWorld } from "../support/resp_peer.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import { LAZY } from "../support/test_store.ts";

/** A key for each number, in some order that has nothing to do with that of the bytes. */
function keyOf(number: number): string {
  return `${["user", "order", "größe"][number % 3]}:${number}`;
}

async function filled(count: number): Promise<RespWorld> {
  const world = await RespWorld.open({ store: { durability: LAZY } });
  for (let number = 0; number < count; number++) void world.store.set(keyOf(number), "x");
  await world.store.flush();
  return world;
}

/** One page of a scan. */
async function page(peer: RespPeer, cursor: string, options: string) {
  const reply = await peer.send(`scan ${cursor} ${options}`);
  const match = /^\["(\d+)" \[(.*)\]\]$/.exec(reply);
  assert(match !== null, reply);
  return { cursor: match[1]!, keys: match[2] === "" ? [] : match[2]!.split(" ").map(unquoted) };
}

function unquoted(text: string): string {
  const bytes = text.slice(1, -1).replace(
    /\\x(..)/g,
    (_, hex) => String.fromCharCode(parseInt(hex, 16)),
  );
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}

async function scanned(peer: RespPeer, options: string, between?: () => Promise<unknown>) {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const { cursor: next, keys: found } = await page(peer, cursor, options);
    keys.push(...found);
    cursor = next;
    await between?.();
  } while (cursor !== "0");
  return keys;
}

test("scan: every key once, whatever COUNT and MATCH are", async () => {
  await using world = await filled(500);
  const peer = world.peer();
  const all = Array.from({ length: 500 }, (_, number) => keyOf(number));
  for (const options of ["", "count 1", "count 7", "count 500", "count 501", "count 999999999"]) {
    const found = await scanned(peer, options);
    assert.deepEqual(found.toSorted(), all.toSorted(), options);
  }
  const matches: [pattern: string, filter: (key: string) => boolean][] = [
    ["user:*", (key) => key.startsWith("user:")],
    ["*:*9", (key) => key.endsWith("9")],
    ["größe:1?", (key) => /^größe:1.$/.test(key)],
    ["gr??ße:1", () => false],
    ["nobody*", () => false],
    ["order:10", (key) => key === "order:10"],
  ];
  for (const [pattern, filter] of matches) {
    for (const count of [3, 1000]) {
      const found = await scanned(peer, `match ${pattern} count ${count}`);
      assert.deepEqual(found.toSorted(), all.filter(filter).toSorted(), pattern);
    }
    const keys = (await peer.send(`keys ${pattern}`)).slice(1, -1).split(" ").filter(Boolean);
    assert.deepEqual(keys.map(unquoted).toSorted(), all.filter(filter).toSorted(), pattern);
  }
});

test("scan: keys that are there throughout are seen, whatever happens to others", async () => {
  await using world = await filled(300);
  const peers = [world.peer(), world.peer()];
  const random = new SeededRandom(3);
  const stable = Array.from({ length: 300 }, (_, number) => keyOf(number))
    .filter((_, number) => number % 2 === 0);
  for (let round = 0; round < 5; round++) {
    const found = await scanned(random.pick(peers), "count 10", async () => {
      const number = random.below(150) * 2 + 1;
      await world.peer().pipeline(`del ${keyOf(number)}`, `set new:${number} 1`, "keys nobody");
      if (round === 4) await world.store.compact();
    });
    assert.equal(new Set(found).size, found.length);
    for (const key of stable) assert(found.includes(key), key);
  }
});

test("scan: a cursor holds on any connection, also after its last key is gone, and again", async () => {
  await using world = await filled(30);
  const first = await page(world.peer(), "0", "count 10");
  await world.store.delete(first.keys.at(-1)!);
  const once = await page(world.peer(), first.cursor, "count 10");
  const again = await page(world.peer(), first.cursor, "count 10");
  assert.deepEqual(once.keys, again.keys);
  assert.notEqual(once.cursor, again.cursor);
  // Who goes on from what came next has no use for it any more.
  const third = await page(world.peer(), once.cursor, "count 10");
  assert.deepEqual([third.keys.length, third.cursor === "0"], [10, false]);
  await world.peer().expect(
    [
      `scan ${first.cursor}`,
      "-ERR invalid cursor: it is not known here, or not any more; begin again with SCAN 0",
    ],
    [
      "scan 18446744073709551615",
      "-ERR invalid cursor: it is not known here, or not any more; begin again with SCAN 0",
    ],
    ["scan 18446744073709551616", "-ERR invalid cursor"],
  );
});

test("scan: cursors that nobody has used for long are forgotten, and those of others are not", () => {
  const cursors = new ScanCursors(new SeededRandom(1));
  const slow = cursors.add("slow", 0);
  let last = 0;
  for (let count = 0; count < SCAN_CURSORS_MAX * 3; count++) {
    // One long iteration holds two at a time, and pushes nobody out.
    last = cursors.add(`key ${count}`, last);
    assert.notEqual(cursors.use(last), undefined);
  }
  assert.deepEqual([cursors.use(slow), cursors.size], ["slow", 2]);
  for (let count = 0; count < SCAN_CURSORS_MAX - 1; count++) cursors.add("abandoned", 0);
  assert.deepEqual([cursors.use(slow), cursors.size], ["slow", SCAN_CURSORS_MAX]);
  for (let count = 0; count < SCAN_CURSORS_MAX; count++) cursors.add("abandoned", 0);
  assert.deepEqual([cursors.use(slow), cursors.size], [undefined, SCAN_CURSORS_MAX]);
  // Long keys count by their length.
  const long = new ScanCursors(new SeededRandom(1));
  for (let count = 0; count < 1000; count++) long.add("k".repeat(65_536), 0);
  assert.equal(long.size, 256);
  // Another start does not continue the numbers of this one.
  assert.notEqual(new ScanCursors(new SeededRandom(2)).add("", 0), cursors.add("", 0) - 1);
});

test("scan: the longest keys there can be", async () => {
  await using world = await RespWorld.open({ store: { durability: LAZY } });
  const keys = ["a", "b", "c"].map((letter) => letter.repeat(65_536));
  for (const key of keys) await world.store.set(key, "1");
  const peer = world.peer();
  assert.deepEqual(await scanned(peer, "count 1"), keys);
  assert.equal((await peer.send("keys *")).length, 3 * 65_538 + 4);
  assert.deepEqual(await scanned(peer, "match b* count 1"), [keys[1]]);
});

test("keys: many of them come in slices, between which others have their turn", async () => {
  const clock = new SteppingClock(new SeededRandom(1), 1_700_000_000_000);
  await using world = await RespWorld.open({ store: { durability: LAZY, clock } });
  const count = 20_000;
  for (let number = 0; number < count; number++) void world.store.set(`key:${number}`, "x");
  await world.store.flush();
  let turns = 0;
  let isOver = false;
  const counting = (async () => {
    while (!isOver) {
      await new Promise((resolve) => void setImmediate(resolve));
      turns++;
    }
  })();
  const reply = await world.peer().send("keys *9*");
  isOver = true;
  await counting;
  const expected = Array.from({ length: count }, (_, number) => String(number))
    .filter((text) => text.includes("9"));
  assert.equal(reply.split(" ").length, expected.length);
  assert(turns > 10, `${turns} turns`);
  assert.equal(world.service.bytesHeld, 0);
});

test("flush: only what was there, with others writing meanwhile", async () => {
  await using world = await filled(3000);
  const peer = world.peer();
  const flushed = peer.send("flushall");
  // These are written while the deletes are under way: each of them is newer than the command.
  const writer = world.peer();
  await Promise.all(
    Array.from({ length: 50 }, (_, number) => writer.send(`set ${keyOf(number * 59)} new`)),
  );
  assert.equal(await flushed, "+OK");
  assert.equal(await peer.send("dbsize"), ":50");
  for (let number = 0; number < 50; number++) {
    await peer.expect([`get ${keyOf(number * 59)}`, '"new"']);
  }
});

test("flush: a command behind it finds nothing, and what it writes stays", async () => {
  await using world = await filled(2000);
  const replies = await world.peer().pipeline("set a 1", "flushdb", "dbsize", "set a 2", "dbsize");
  assert.deepEqual(replies, ["+OK", "+OK", ":0", "+OK", ":1"]);
});

test("random key: any of them, or none", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["randomkey", "nil"], ["mset a 1 b 2", "+OK"]);
  const seen = new Set<string>();
  for (let count = 0; count < 64; count++) seen.add(await peer.send("randomkey"));
  assert.deepEqual([...seen].sort(), ['"a"', '"b"']);
});

test("keys and scan: a pattern without wildcards returns the key with all its bytes", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  for (const key of ["\ufeff", "\ufeffa", "a\ufeff", "é"]) {
    await peer.send(`mset "${key}" 1 other 2`);
    const found = await peer.send(`keys "${key}*"`);
    await peer.expect(
      [`keys "${key}"`, found],
      [`scan 0 match "${key}"`, `["0" ${found}]`],
    );
    await peer.send("flushall");
  }
});
