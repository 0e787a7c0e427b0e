/** What a repair does to the two directories: nothing to the one, everything durably to the other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIVE_UNFINISHED } from "../../lib/format/active.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { assertUntouched, fromImage, takeImage, withFile } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { PATH } from "../support/test_store.ts";
import { tenKeys } from "./prepared_stores.ts";
import { REPAIRED } from "./repaired_store.ts";

test("repair: a full disk leaves nothing that looks like a store, and can be tried again", async () => {
  const image = await tenKeys();
  const fs = new FaultyFileSystem(fromImage(image));
  for (const space of [0, 30, 100, 700, 900]) {
    fs.spaceLeft = space;
    await failsWith("NoSpace", /full/, () => KvStore.repair(PATH, REPAIRED, { fileSystem: fs }));
    fs.heal();
    // What is left is empty, or says that it is unfinished.
    const left = fs.readDirectory(`${REPAIRED}/wal`);
    assert.deepEqual(left, space < ACTIVE_UNFINISHED.length ? [] : ["ACTIVE"]);
    if (left.length > 0) {
      await failsWith("CorruptLog", /unfinished/, () => KvStore.open(REPAIRED, { fileSystem: fs }));
    }
    assertUntouched(fs, image);
  }
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  assert.equal(report.keys, 10);
});

test("repair: everything is synced before ACTIVE names it, and ACTIVE comes last", async () => {
  const fs = new FaultyFileSystem(fromImage(await tenKeys()));
  await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  const calls = fs.calls.map((call) => call.replace("0000000001.log", "records"))
    .map((call) => call.replace("0000000002.log", "empty"));
  const last = (call: string) => calls.lastIndexOf(call);
  assert(last("write records") < last("sync records"));
  assert(last("sync records") < last("write ACTIVE.tmp"));
  assert(last("write empty") < last("sync empty"));
  assert(last("sync empty") < last("write ACTIVE.tmp"));
  assert(last("write ACTIVE.tmp") < last("sync ACTIVE.tmp"));
  assert.match(calls.slice(-2).join(), /^rename ACTIVE(\.tmp)?,syncDirectory wal$/);
});

test("repair: a source in use, a destination in use, and paths that cannot be", async () => {
  const fs = fromImage(await tenKeys());
  const before = takeImage(fs);
  const repair = (source: string, out: string) => () =>
    KvStore.repair(source, out, { fileSystem: fs });
  await failsWith("Io", /does not exist/, repair("/nowhere", REPAIRED));
  await failsWith("InvalidArgument", /only read/, repair(PATH, `${PATH}/repaired`));
  await failsWith("InvalidArgument", /only read|not empty/, repair(PATH, PATH));
  fs.makeDirectory("/full/wal");
  fs.open("/full/notes", "create").close();
  await failsWith("InvalidArgument", /not empty/, repair(PATH, "/full"));
  await failsWith("InvalidArgument", /not a directory/, repair(PATH, "/full/notes"));
  assertUntouched(fs, before);
  await using _store = await KvStore.open(PATH, { fileSystem: fs });
  await failsWith("Locked", /copy the directory/, repair(PATH, REPAIRED));
  assert.equal(fs.stat(REPAIRED), undefined);
});

test("repair: the lock file of the source is not created, and is free again afterwards", async () => {
  const image = await tenKeys();
  const fs = fromImage(image);
  await KvStore.repair(PATH, "/first", { fileSystem: fs });
  assert.equal(fs.stat(`${PATH}/LOCK`), undefined);
  await (await KvStore.open(PATH, { fileSystem: fs })).close();
  await KvStore.repair(PATH, "/second", { fileSystem: fs });
  await (await KvStore.open(PATH, { fileSystem: fs })).close();
});

test("repair: of an unfinished copy it says that this never was a whole store", async () => {
  const image = withFile(await tenKeys(), "ACTIVE", ACTIVE_UNFINISHED);
  const fs = fromImage(image);
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  assert.deepEqual([report.complete, report.keys], [false, 10]);
  assert.deepEqual(report.lost.map(({ path }) => path), [`${PATH}/wal/ACTIVE`]);
  assert.match(report.lost[0]!.reason, /never a whole store.*make it again/);
  assert.doesNotMatch(report.warnings.join(), /damaged/);
});

test("repair: an empty store in a file system without anything else", async () => {
  const fs = new MemoryFileSystem();
  await (await KvStore.open(PATH, { fileSystem: fs })).close();
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  assert.deepEqual([report.complete, report.keys, report.version], [true, 0, 0]);
});
