/** What a verification finds, and what it does not mistake for damage. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../lib/format/crc32.ts";
import { HINT_FIELDS } from "../../lib/format/hint.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { VerifyReport } from "../../lib/tools/verify_report.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  takeImage,
  withFile,
} from "../support/disk_image.ts";
import { failsWith } from "../support/kv_error.ts";
import { openInMemory, PATH, pattern } from "../support/test_store.ts";
import {
  changed,
  FIRST_SEGMENT,
  harmed,
  NOW,
  recordOf,
  tenKeys,
  writtenBy,
} from "./prepared_stores.ts";
import { openingOtherwise } from "./opening_otherwise.ts";
import { clockAt } from "./repaired_store.ts";
import { segmentNames } from "./written_records.ts";

async function verify(image: DiskImage): Promise<VerifyReport> {
  const fs = fromImage(image);
  const report = await KvStore.verify(PATH, { fileSystem: fs });
  assertUntouched(fs, image);
  return report;
}

/** A store with closed segments, a compacted one, and their hint files. */
function withHints(): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (let key = 0; key < 40; key++) {
      await store.set(`k${key}`, pattern(300, key), key % 4 === 0 ? { ttl: 1e9 } : {});
    }
    await store.compact();
    for (let key = 0; key < 30; key++) await store.set(`more ${key}`, pattern(300, key));
  }, { segmentBytesMax: 4096 });
}

function hintNames(image: DiskImage): string[] {
  return [...image.keys()].filter((name) => name.endsWith(".hint"));
}

test("verify: every flipped bit of every file is found, with its file", async () => {
  const image = await writtenBy(async (store) => {
    for (const key of "abc") await store.set(key, key, key === "b" ? { ttl: 1e6 } : {});
  });
  for (const [name, bytes] of image) {
    for (let at = 0; at < bytes.length; at++) {
      if (name.endsWith(".hint") && (at === 6 || at === 7)) continue;
      const damaged = changed(image, name, (each) => void (each[at]! ^= 1 << (at % 7)));
      const { ok, problems } = await verify(damaged);
      assert(!ok, `${name} at ${at}`);
      assert(problems.some(({ path }) => path.endsWith(name)), `${name} at ${at}`);
      for (const { offset } of problems) assert(offset >= 0 && offset <= bytes.length);
    }
  }
});

test("verify: a sound store has no problems, and all bytes are counted", async () => {
  const image = await withHints();
  assert(hintNames(image).length > 1);
  const { ok, bytes, files } = await verify(image);
  assert(ok);
  assert.equal(files, image.size);
  assert.equal(bytes, [...image.values()].reduce((sum, each) => sum + each.length, 0));
});

test("verify: records are counted as users count them, deletes and overwritten ones included", async () => {
  const image = await writtenBy(async (store) => {
    for (const value of ["1", "2", "3"]) await store.set("a", value);
    await store.delete("a");
    await store.batch([{ op: "set", key: "b", value: "4" }, { op: "set", key: "c", value: "5" }]);
  });
  assert.equal((await verify(image)).records, 6);
});

test("verify: a torn tail is given with its place, and is no problem", async () => {
  const image = await writtenBy(async (store) => void await store.set("a", "1"));
  const size = bytesOf(image, FIRST_SEGMENT).length;
  const torn = changed(image, FIRST_SEGMENT, (bytes) => Uint8Array.of(...bytes, 1, 2, 3));
  const report = await verify(torn);
  assert.deepEqual([report.ok, report.tornBytes], [true, 3]);
  assert.deepEqual(report.torn, { path: `${PATH}/wal/${FIRST_SEGMENT}`, offset: size });
  assert(!("torn" in await verify(image)));
});

test("verify: a problem of a hint file is given with its offset", async () => {
  const image = await withHints();
  for (const name of hintNames(image)) {
    const size = bytesOf(image, name).length;
    const damaged = changed(image, name, (bytes) => void (bytes[size - 40]! ^= 1));
    const { problems } = await verify(damaged);
    assert.equal(problems.length, 1);
    assert.match(problems[0]!.message, /checksum.*harmless/);
    assert.equal(problems[0]!.offset, 40, "where the block begins");
    const short = await verify(changed(image, name, (bytes) => bytes.slice(0, size - 5)));
    assert.equal(short.problems[0]!.offset, size - 8, "where the end should be");
  }
});

test("verify: a hint file that belongs elsewhere is found by the mark it is bound to", async () => {
  const image = await withHints();
  const [first, second] = hintNames(image);
  const swapped = withFile(image, first!, bytesOf(image, second!));
  assert.match((await verify(swapped)).problems[0]!.message, /another segment/);
  const rebound = changed(image, first!, (bytes) => {
    const view = new DataView(bytes.buffer);
    const count = view.getUint32(HINT_FIELDS.recordCount, true);
    view.setUint32(HINT_FIELDS.recordCount, count + 1, true);
    view.setUint32(HINT_FIELDS.crc, crc32(bytes, 0, HINT_FIELDS.crc), true);
  });
  assert.match((await verify(rebound)).problems[0]!.message, /another state/);
});

test("verify: hint entries are held against key and expiry of their records", async () => {
  const image = await withHints();
  const places = new Set<string>();
  for (const name of hintNames(image)) {
    const bytes = bytesOf(image, name);
    const length = new DataView(bytes.buffer).getUint32(40, true);
    // The first entry: behind 21 bytes of fields its expiry, if it has one, then its key.
    const expires = bytes[48] === 2;
    for (const [what, at] of expires ? [["expiry", 69], ["key", 77]] as const : []) {
      const damaged = changed(image, name, (each) => {
        each[at]! ^= 1;
        new DataView(each.buffer).setUint32(44, crc32(each, 48, 48 + length), true);
      });
      const { problems } = await verify(damaged);
      assert.deepEqual(problems.map(({ offset }) => offset), [48], what);
      places.add(what);
    }
  }
  assert.equal(places.size, 2);
});

test("verify: ACTIVE of an impossible version is damaged, unless it is really newer", async () => {
  const image = await tenKeys();
  const damaged = changed(image, "ACTIVE", (bytes) => void (bytes[5] = 7));
  const { problems } = await verify(damaged);
  assert.match(problems[0]!.message, /damaged/);
  const newer = changed(image, "ACTIVE", (bytes) => {
    bytes[4] = 2;
    const { length } = bytes;
    new DataView(bytes.buffer).setUint32(length - 4, crc32(bytes, 0, length - 4), true);
  });
  await failsWith("Unsupported", /newer Cairn/, () => verify(newer));
});

test("verify: an old copy of ACTIVE, which leaves records out", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096, clock: clockAt(NOW) }, fs);
  for (let key = 0; key < 10; key++) await store.set(`k${key}`, pattern(300));
  const active = bytesOf(takeImage(fs), "ACTIVE");
  for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(300));
  await store.flush();
  const { problems } = await verify(withFile(takeImage(fs), "ACTIVE", active));
  assert(problems.some(({ message }) => /ACTIVE is older/.test(message)), JSON.stringify(problems));
});

test("verify: what a crash leaves of a compaction or a rotation is no problem", async () => {
  const image = await withHints();
  const [compacted] = segmentNames(image);
  const copy = changed(image, compacted!, () => {});
  const leftover = withFile(copy, "0000000001.log.tmp", pattern(100));
  assert((await verify(leftover)).ok);
  assert((await verify(withFile(image, "0000000099.log", new Uint8Array(0)))).ok);
});

test("verify: beside a store that writes, rotates and compacts all the while", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; key < 60; key++) await store.set(`k${key}`, pattern(200, key));
  let running = true;
  const writer = (async () => {
    for (let round = 0; running; round++) {
      for (let key = 0; key < 20; key++) await store.set(`k${key}`, pattern(200, round));
      await store.delete("k3");
      await store.compact();
      await store.set("k3", "again");
    }
  })();
  for (let round = 0; round < 30; round++) {
    const report = await KvStore.verify(PATH, { fileSystem: fs });
    assert.deepEqual(report.problems, []);
  }
  running = false;
  await writer;
});

test("verify: compaction that takes files away right behind ACTIVE is waited for", async () => {
  const { before, after } = await aroundCompaction();
  // ACTIVE is read as it was before; all other files are those after.
  const fs = fromImage(after);
  const stale = fromImage(before);
  let reads = 0;
  const racing = openingOtherwise(fs, (path, mode) => {
    return path.endsWith("ACTIVE") && reads++ === 0 ? stale.open(path, mode) : fs.open(path, mode);
  });
  const report = await KvStore.verify(PATH, { fileSystem: racing });
  assert.deepEqual(report.problems, []);
  assert(reads > 1);
});

async function aroundCompaction(): Promise<{ before: DiskImage; after: DiskImage }> {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; key < 60; key++) await store.set(`k${key % 20}`, pattern(300, key));
  await store.flush();
  const before = takeImage(fs);
  await store.compact();
  return { before, after: takeImage(fs) };
}

test("verify: damage inside of a record is given with the record's offset", async () => {
  const image = await tenKeys();
  const e = recordOf(image, "e");
  const { problems } = await verify(harmed(image, e, 30));
  assert.deepEqual(problems.map(({ offset }) => offset), [e.offset]);
  assert(problems[0]!.path.endsWith(FIRST_SEGMENT));
});
