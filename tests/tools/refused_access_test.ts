/** A system that does not let the tools at a file says nothing about the file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvStore } from "../../lib/store/store.ts";
import { assertUntouched, type DiskImage, fromImage } from "../support/disk_image.ts";
import { FaultyFileSystem, type FileCall } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { PATH, pattern } from "../support/test_store.ts";
import { writtenBy } from "./prepared_stores.ts";
import { REPAIRED } from "./repaired_store.ts";
import { segmentNames } from "./written_records.ts";

const REFUSALS = [
  ["EMFILE", /too many files open; raise the limit/],
  ["ENFILE", /too many files open; raise the limit/],
  ["ENOMEM", /no memory left; stop other programs/],
  ["EACCES", /permission denied; run as the user who owns it/],
  ["EPERM", /not permitted; run as the user who owns it/],
] as const;

/** Keys that compaction does not bring together, in more segments than repair opens at a time. */
function manySegments(): Promise<DiskImage> {
  return writtenBy(async (store) => {
    for (let key = 0; key < 200; key++) await store.set(`k${key}`, pattern(300, key));
  }, { segmentBytesMax: 4096 });
}

/** A disk of which `code` is all that the chosen calls give; `count` tells how many there were. */
function refusing(image: DiskImage, code: string, isRefused: (call: FileCall) => boolean) {
  const fs = new FaultyFileSystem(fromImage(image));
  fs.fail = (call) => call.path.startsWith(`${PATH}/wal`) && isRefused(call) ? code : undefined;
  return fs;
}

test("verify, repair: a refusal is passed on with its advice, and is no damage", async () => {
  const image = await manySegments();
  const names = [...image.keys()];
  const segments = segmentNames(image);
  for (const [code, advice] of REFUSALS) {
    for (const what of ["open", "read"] as const) {
      for (const name of [segments[1]!, segments.at(-1)!, "ACTIVE", "NODE_ID", names[0]!]) {
        const fs = refusing(image, code, (call) => call.what === what && call.name === name);
        await failsWith("Io", advice, () => KvStore.verify(PATH, { fileSystem: fs }));
        assert.deepEqual(fs.openNames, [], `${what} ${name}`);
        if (name.endsWith(".hint")) continue;
        await failsWith("Io", advice, () => KvStore.repair(PATH, REPAIRED, { fileSystem: fs }));
        assert.deepEqual(fs.openNames, [], `${what} ${name}`);
        fs.heal();
        assertUntouched(fs, image);
      }
    }
  }
});

test("repair: a refusal while records are copied leaves no store", async () => {
  const image = await manySegments();
  const [, second] = segmentNames(image);
  for (const [code, advice] of REFUSALS) {
    let opened = 0;
    const fs = refusing(image, code, ({ what, name }) => {
      // It is opened to be surveyed, to be read into the index, and to be copied.
      return what === "open" && name === second && ++opened === 3;
    });
    await failsWith("Io", advice, () => KvStore.repair(PATH, REPAIRED, { fileSystem: fs }));
    await failsWith("CorruptLog", /unfinished/, () => KvStore.open(REPAIRED, { fileSystem: fs }));
    fs.heal();
    const { complete, keys } = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
    assert.deepEqual([complete, keys], [true, 200]);
  }
});

test("repair: few files are open at a time, however many there are", async () => {
  const image = await manySegments();
  assert(segmentNames(image).length > 12);
  let openMax = 0;
  const fs = refusing(image, "EMFILE", () => {
    openMax = Math.max(openMax, fs.openNames.length);
    return false;
  });
  const { complete, keys } = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  assert.deepEqual([complete, keys], [true, 200]);
  assert(openMax > 0 && openMax <= 10, `${openMax} files`);
});

test("verify, repair: a disk that cannot open a segment is a finding, in words that fit", async () => {
  const image = await manySegments();
  const [, second] = segmentNames(image);
  const fs = refusing(image, "EIO", ({ what, name }) => what === "open" && name === second);
  const { problems } = await KvStore.verify(PATH, { fileSystem: fs });
  assert.deepEqual(problems.map(({ path }) => path), [`${PATH}/wal/${second}`]);
  assert.match(problems[0]!.message, /^cannot be opened: .*\(EIO\)$/);
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  assert(!report.complete);
  assert.deepEqual(report.lost.map(({ reason }) => reason), ["the file cannot be opened"]);
  assert.match(report.skipped[0]!.reason, /^cannot be opened: .*\(EIO\)$/);
});

test("repair: a lock that cannot be had for a shortage is not done without", async () => {
  const fs = fromImage(await manySegments());
  fs.open(`${PATH}/LOCK`, "create").close();
  const faulty = new FaultyFileSystem(fs);
  faulty.fail = ({ what, path }) => what === "lock" && path.startsWith(PATH) ? "EMFILE" : undefined;
  await failsWith("Io", /raise the limit/, () => {
    return KvStore.repair(PATH, REPAIRED, { fileSystem: faulty });
  });
  assert.equal(fs.stat(REPAIRED), undefined);
});
