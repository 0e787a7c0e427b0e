/** Hint files: written in the background, used at opening, and never believed when they are wrong. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { decodeHintHeader, encodeHintHeader } from "../../lib/format/hint.ts";
import { isDataOp, OP_DELETE } from "../../lib/format/record.ts";
import type { File } from "../../lib/fs/file_system.ts";
import { readFile, readFully } from "../../lib/fs/whole_file.ts";
import { HintReader } from "../../lib/log/hint_reader.ts";
import { KvStore } from "../../lib/store/store.ts";
import { framesOf } from "../support/frames.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { takeCensus } from "../support/log_census.ts";
import {
  assertExact,
  LAZY,
  logNames,
  MemoryLogger,
  openInMemory,
  PATH,
  pattern,
  scanAll,
  until,
} from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

const WAL = `${PATH}/wal`;

/** A closed store of several segments, each but the last with a hint. */
async function prepare(): Promise<{ fs: MemoryFileSystem; hints: string[]; clock: TestClock }> {
  const fs = new MemoryFileSystem();
  const clock = new TestClock();
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 8192, clock }, fs);
  for (let i = 0; i < 120; i++) {
    await store.set(`key ${i % 70}`, pattern(300, i), i % 9 === 0 ? { ttl: 1_000_000 } : {});
    if (i % 7 === 0) await store.delete(`key ${i % 70}`);
    if (i % 21 === 0) await store.set(`key ${i % 70}`, "back at once");
    if (i % 11 === 0) {
      await store.batch([
        { op: "set", key: `b ${i}`, value: "1" },
        { op: "del", key: `b ${i - 11}` },
      ]);
    }
  }
  const closed = store.stats().segments - 1;
  const hinted = () => logNames(fs).filter((name) => name.endsWith(".hint"));
  await until("every closed segment has its hint", () => hinted().length === closed);
  assert(closed >= 4);
  return { fs, hints: hinted(), clock };
}

function overwrite(fs: MemoryFileSystem, name: string, bytes: Uint8Array): void {
  const file = fs.open(`${WAL}/${name}`, "write");
  file.truncate(0);
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

function readAll(file: File): Uint8Array {
  const bytes = new Uint8Array(file.size());
  readFully(file, bytes, 0, bytes.length, 0);
  return bytes;
}

const bytesOf = (fs: MemoryFileSystem, name: string) => readFile(fs, `${WAL}/${name}`, 1 << 30);

test("hints are used at opening, and give the same store as reading everything", async () => {
  const { fs, hints, clock } = await prepare();
  const withHints = await openInMemory({ readOnly: true, clock }, fs);
  assert.equal(withHints.stats().replay.hints, hints.length);
  assert(withHints.stats().replay.bytes < withHints.stats().totalBytes);
  const entries = await scanAll(withHints);
  const { aliveBytes, totalBytes, version } = withHints.stats();
  await withHints.close();
  for (const name of hints) fs.unlink(`${WAL}/${name}`);
  await using without = await openInMemory({ readOnly: true, clock }, fs);
  assert.equal(without.stats().replay.hints, 0);
  assert.equal(without.stats().replay.bytes, totalBytes);
  assert.deepEqual(await scanAll(without), entries);
  assert.equal(without.stats().aliveBytes, aliveBytes);
  assert.equal(without.stats().version, version);
});

test("a hint lists every delete of its segment, and every set that is still alive", async () => {
  const { fs, hints, clock } = await prepare();
  for (const name of hints) {
    const file = fs.open(`${WAL}/${name}`, "read");
    const hint = new HintReader(file);
    const listed = new Map<number, number>();
    while (hint.next()) listed.set(hint.lsn, hint.op);
    assert.equal(hint.problem, undefined);
    const segment = fs.open(`${WAL}/${name.replace(".hint", ".log")}`, "read");
    const frames = framesOf(readAll(segment)).filter(({ op }) => isDataOp(op));
    const alive = new Set(takeCensus(fs, PATH, clock.now()).entries.values().map((e) => e.version));
    for (const { op, lsn } of frames) {
      if (op === OP_DELETE || alive.has(lsn)) assert.equal(listed.get(lsn), op, `LSN ${lsn}`);
    }
    assert.equal(hint.header?.recordCount, frames.length);
    file.close();
    segment.close();
  }
});

test("a missing hint is written at the next opening", async () => {
  const { fs, hints, clock } = await prepare();
  const contents = hints.map((name) => bytesOf(fs, name));
  for (const name of hints) fs.unlink(`${WAL}/${name}`);
  {
    await using store = await openInMemory({ clock }, fs);
    await until("they are there again", () => hints.every((name) => logNames(fs).includes(name)));
    await assertExact(store, fs, clock.now());
  }
  // Of the same content or shorter: what was superseded since is left out.
  hints.forEach((name, i) => assert(bytesOf(fs, name).length <= contents[i]!.length));
  await using store = await openInMemory({ clock }, fs);
  assert.equal(store.stats().replay.hints, hints.length);
});

test("every kind of damage to a hint: the segment is read instead, and the hint written anew", async () => {
  const { fs, hints, clock } = await prepare();
  const name = hints[1]!;
  const good = bytesOf(fs, name);
  const other = bytesOf(fs, hints[2]!);
  const expected = await (async () => {
    await using store = await openInMemory({ clock }, fs);
    return await scanAll(store);
  })();
  const damages: [string, () => Uint8Array][] = [
    ["empty", () => new Uint8Array(0)],
    ["zeros", () => new Uint8Array(good.length)],
    ["another segment's", () => other],
    ["cut short", () => good.slice(0, good.length - 1)],
    ["without its end", () => good.slice(0, good.length - 8)],
    ["cut in the header", () => good.slice(0, 20)],
    ["with something behind it", () => Uint8Array.of(...good, 0)],
    ...(["coveredLength", "recordCount", "chain", "lastLsn"] as const).map((
      field,
    ): [string, () => Uint8Array] => [`of another state: ${field}`, () => {
      const header = decodeHintHeader(good);
      assert(typeof header !== "string");
      const delta = field === "lastLsn" ? -header.lastLsn : -1;
      const bytes = good.slice();
      bytes.set(encodeHintHeader({ ...header, [field]: header[field] + delta }));
      return bytes;
    }]),
    ...Array.from({ length: 60 }, (_, i): [string, () => Uint8Array] => {
      const at = Math.floor(good.length * i / 60);
      return [`bit ${i % 8} of byte ${at} flipped`, () => {
        const bytes = good.slice();
        bytes[at]! ^= 1 << (i % 8);
        return bytes;
      }];
    }),
  ];
  for (const [what, damage] of damages) {
    const damaged = damage();
    overwrite(fs, name, damaged);
    const harmless = damaged[6] !== good[6] || damaged[7] !== good[7]; // the reserved field
    const logger = new MemoryLogger();
    await using store = await openInMemory({ clock, logger }, fs);
    if (!harmless || !what.startsWith("bit")) {
      assert.equal(store.stats().replay.hints, hints.length - 1, what);
      assert.match(logger.troubles.join(), /is not used, reading the segment instead/, what);
    }
    assert.deepEqual(await scanAll(store), expected, what);
    await assertExact(store, fs, clock.now());
    await until(
      `written anew: ${what}`,
      () => Buffer.compare(bytesOf(fs, name), damaged) !== 0 || what.startsWith("bit") && harmless,
    );
    await store.close();
    await using again = await openInMemory({ clock, readOnly: true }, fs);
    assert.equal(again.stats().replay.hints, hints.length, what);
  }
});

test("a hint that cannot be written is no reason to fail anything", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const logger = new MemoryLogger();
  fs.beforeChange = (_, path) => {
    if (path.includes(".hint")) throw new Error("no hints here");
  };
  {
    await using store = await openInMemory({ segmentBytesMax: 4096, logger }, fs);
    for (let i = 0; i < 50; i++) await store.set(`${i}`, pattern(300, i));
    await until("it was tried", () => logger.troubles.length > 0);
    assert.match(logger.troubles[0]!, /Writing a hint file failed/);
  }
  assert.deepEqual(logNames(base).filter((name) => name.includes("hint")), []);
  await using store = await openInMemory({ segmentBytesMax: 4096 }, base);
  assert.equal(store.size, 50);
  assert.equal(store.stats().replay.hints, 0);
});

test("closing a store with much in its newest segment leaves a hint for that too", async () => {
  const fs = new MemoryFileSystem();
  {
    await using store = await openInMemory({ durability: LAZY }, fs);
    for (let i = 0; i < 50; i++) await store.set(`${i}`, pattern(100_000, i));
    await store.delete("7");
  }
  {
    await using store = await openInMemory({ durability: LAZY }, fs);
    assert.equal(store.stats().replay.hints, 1);
    assert(store.stats().replay.bytes < 10_000);
    assert.equal(store.size, 49);
    // The hint stands for the beginning; what follows is read.
    await store.set("7", "back");
    await store.delete("8");
    await assertExact(store, fs);
  }
  await using store = await openInMemory({ durability: LAZY }, fs);
  assert.equal(store.stats().replay.hints, 1);
  assert.equal(store.size, 49);
  assert.equal(store.has("7"), true);
  assert.equal(store.has("8"), false);
  await assertExact(store, fs);
  assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);
});

test("a store opened with readOnly writes no hints and removes nothing", async () => {
  const { fs, hints, clock } = await prepare();
  fs.unlink(`${WAL}/${hints[0]}`);
  overwrite(fs, hints[1]!, new Uint8Array(10));
  const before = logNames(fs).map((name) => [name, bytesOf(fs, name)]);
  {
    await using store = await openInMemory({ readOnly: true, clock }, fs);
    assert.equal(store.stats().replay.hints, hints.length - 2);
    await scanAll(store);
  }
  assert.deepEqual(logNames(fs).map((name) => [name, bytesOf(fs, name)]), before);
});
