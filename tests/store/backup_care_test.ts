/** Backups: what the copy tells followers, what is given back afterwards, and what is noticed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { CountingFileSystem } from "../support/counting_file_system.ts";
import { bytesOf, fromImage, takeImage } from "../support/disk_image.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { logNames, openInMemory, PATH, pattern } from "../support/test_store.ts";

const COPY = "/backup";

test("backup: who follows the copy is told which deletes are missing", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  for (const key of ["a", "b", "c"]) await store.set(key, "1");
  await store.delete("b");
  await store.set("c", "2");
  await store.compact();
  await store.backup(COPY);
  await using copy = await KvStore.open(COPY, { fileSystem: fs });
  throwsAtOnce("Compacted", /up to version 4/, () => copy.changes({ since: 3 }));
  await copy.changes({ since: 4 }).return();
});

test("backup: afterwards compaction gives everything back", async () => {
  const fs = new CountingFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let index = 0; index < 40; index++) await store.set(`${index % 7}`, pattern(300, index));
  await store.backup(COPY);
  await store.compact();
  // The newest segment is open twice.
  const open = fs.openPaths.filter((path) => path.endsWith(".log"));
  assert.equal(open.length, store.stats().segments + 1);
});

test("backup: another state of a closed segment, sound and of the same length, is noticed", async () => {
  const base = new MemoryFileSystem();
  await (await openInMemory({}, base)).close();
  const [written, other] = await Promise.all(["1", "2"].map(async (value) => {
    const fs = fromImage(takeImage(base));
    const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
    for (let index = 0; index < 40; index++) await store.set("key", value.repeat(300));
    await store.close();
    return fs;
  }));
  const name = "0000000002.log";
  await using store = await KvStore.open(PATH, { fileSystem: written!, readOnly: true });
  const bytes = bytesOf(takeImage(other!), name);
  const file = written!.open(`${PATH}/wal/${name}`, "write");
  assert.equal(file.size(), bytes.length);
  file.write(bytes, 0, bytes.length, 0);
  file.close();
  await failsWith("CorruptLog", /0000000002.log.*not those that were/, () => store.backup(COPY));
});

test("backup: aborted while the last file is synced, it does not become a store", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  await using store = await openInMemory({}, fs);
  await store.set("a", "1");
  const controller = new AbortController();
  fs.beforeSyncAsync = (path) => {
    // Not before: later files would tell as well.
    if (path.startsWith(COPY) && path.endsWith(".log")) controller.abort("enough");
  };
  const { signal } = controller;
  let ended = "";
  await store.backup(COPY, { signal }).catch((reason) => ended = reason);
  assert.equal(ended, "enough");
  assert.deepEqual(logNames(fs, COPY), ["ACTIVE"]);
  await failsWith("CorruptLog", /unfinished/, () => KvStore.open(COPY, { fileSystem: fs }));
});

test("backup: not over a log that has lost its ACTIVE, nor over one of which only that is left", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.backup(COPY);
  for (const [lost, path] of [["ACTIVE", "/a"], ["0000000001.log", "/b"]] as const) {
    await store.backup(path);
    for (const name of logNames(fs, path)) {
      if ((name === "ACTIVE") === (lost === "ACTIVE")) fs.unlink(`${path}/wal/${name}`);
    }
    const left = logNames(fs, path);
    assert(left.length > 0);
    await failsWith("InvalidArgument", /not empty/, () => store.backup(path));
    assert.deepEqual(logNames(fs, path), left);
  }
});
