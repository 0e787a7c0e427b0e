/** Verification goes on to the end where ACTIVE cannot be used, and says what each problem means. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIVE_UNFINISHED } from "../../lib/format/active.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { VerifyProblem } from "../../lib/tools/verify_report.ts";
import { bytesOf, type DiskImage, fromImage, withFile } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { PATH, pattern } from "../support/test_store.ts";
import { changed, writtenBy } from "./prepared_stores.ts";
import { segmentNames } from "./written_records.ts";

/** A store of several segments with hint files. */
function severalSegments(): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (let key = 0; key < 40; key++) await store.set(`k${key}`, pattern(300, key));
  }, { segmentBytesMax: 4096 });
}

async function problemsOf(image: DiskImage): Promise<VerifyProblem[]> {
  return (await KvStore.verify(PATH, { fileSystem: fromImage(image) })).problems;
}

const namesOf = (problems: readonly VerifyProblem[]) =>
  problems.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));

test("verify: with ACTIVE missing or damaged, every other file is checked all the same", async () => {
  const image = await severalSegments();
  const [first, second, third] = segmentNames(image);
  assert(image.has(first!.replace("log", "hint")));
  const flipped = changed(image, "ACTIVE", (bytes) => void (bytes[20]! ^= 1));
  for (const active of [undefined, bytesOf(flipped, "ACTIVE")]) {
    const headless = withFile(image, "ACTIVE", active);
    assert.deepEqual(namesOf(await problemsOf(headless)), ["ACTIVE"]);
    const { records, files } = await verified(headless);
    assert.equal(records, (await verified(image)).records);
    assert.equal(files, image.size - 1);
    for (const nodeId of [bytesOf(image, "NODE_ID"), undefined]) {
      let damaged = withFile(headless, "NODE_ID", nodeId);
      damaged = changed(damaged, second!, (bytes) => void (bytes[500]! ^= 1));
      damaged = changed(damaged, third!, (bytes) => void (bytes[20]! ^= 1));
      damaged = withFile(damaged, third!.replace("log", "hint"), undefined);
      damaged = withFile(damaged, "0000000077.hint", bytesOf(image, first!.replace("log", "hint")));
      const problems = await problemsOf(damaged);
      const expected = ["ACTIVE", ...(nodeId === undefined ? ["NODE_ID"] : []), "0000000077.hint"];
      const found = new Set(namesOf(problems).filter((name) => !name.startsWith("0000000002.h")));
      assert.deepEqual([...found].sort(), [second!, third!, ...expected].sort());
    }
  }
});

async function verified(image: DiskImage) {
  const { records, files } = await KvStore.verify(PATH, { fileSystem: fromImage(image) });
  return { records, files };
}

test("verify: without ACTIVE, what a crash leaves of a segment is no damage, and an end may be torn", async () => {
  const image = withFile(await severalSegments(), "ACTIVE", undefined);
  const begun = withFile(image, "0000000099.log", new Uint8Array(30));
  assert.deepEqual(namesOf(await problemsOf(begun)), ["ACTIVE"]);
  const newest = segmentNames(image).at(-1)!;
  const torn = changed(image, newest, (bytes) => Uint8Array.of(...bytes, 1, 2, 3));
  const [, problem] = await problemsOf(torn);
  assert.equal(problem!.offset, bytesOf(image, newest).length);
  assert.match(problem!.message, /cut short: only ACTIVE could tell/);
});

test("verify: an unfinished copy is called that, and nothing else", async () => {
  const image = await severalSegments();
  const cut = changed(image, segmentNames(image)[0]!, (bytes) => bytes.slice(0, 1000));
  const problems = await problemsOf(withFile(cut, "ACTIVE", ACTIVE_UNFINISHED));
  assert.deepEqual(problems.map(({ kind }) => kind), ["unfinished"]);
  assert.match(problems[0]!.message, /unfinished/);
});

test("verify: a hint file of no use is told from damage", async () => {
  const image = await severalSegments();
  const [first, second] = segmentNames(image).map((name) => name.replace("log", "hint"));
  const kindsOf = async (bad: DiskImage) => (await problemsOf(bad)).map(({ kind }) => kind);
  const size = bytesOf(image, first!).length;
  const flipped = changed(image, first!, (bytes) => void (bytes[size - 40]! ^= 1));
  assert.deepEqual(await kindsOf(flipped), ["hint"]);
  assert.deepEqual(await kindsOf(withFile(image, first!, bytesOf(image, second!))), ["hint"]);
  const unreadable = new FaultyFileSystem(fromImage(image));
  unreadable.fail = ({ what, name }) => what === "open" && name === first ? "EIO" : undefined;
  const { problems } = await KvStore.verify(PATH, { fileSystem: unreadable });
  assert.deepEqual(problems.map(({ kind }) => kind), ["hint"]);
  // A hint for more than there is: its segment was longer once.
  const [log] = segmentNames(image);
  const short = changed(image, log!, (bytes) => bytes.slice(0, bytes.length - 100));
  assert.deepEqual(await kindsOf(short), ["damage", "damage"]);
});

test("verify: no message repeats the path that stands before it", async () => {
  const image = await severalSegments();
  for (const name of image.keys()) {
    for (const bytes of [undefined, new Uint8Array(50).fill(7)]) {
      for (const { path, message } of await problemsOf(withFile(image, name, bytes))) {
        assert(!message.includes(path), `${path}: ${message}`);
      }
    }
    const failing = new FaultyFileSystem(fromImage(image));
    for (const what of ["open", "read"]) {
      failing.fail = (call) => call.what === what && call.name === name ? "EIO" : undefined;
      const { problems } = await KvStore.verify(PATH, { fileSystem: failing });
      assert(problems.length > 0, `${what} ${name}`);
      for (const { path, message } of problems) assert(!message.includes(path), message);
    }
  }
});
