/** Which hint files go along with a backup. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { contentsOf } from "../support/backup_model.ts";
import { fromImage } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { withoutHints, writeSegments } from "../support/segmented_store.ts";
import { logNames, openInMemory, PATH, scanAll, until } from "../support/test_store.ts";

const COPY = "/backup";

test("backup: hint files go along where they are right, and spare reading the segments", async () => {
  const { image, opened } = await writeSegments();
  const fs = fromImage(image);
  await using store = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  await store.backup(COPY);
  assert.deepEqual(logNames(fs, COPY), [...image.keys()].sort());
  await using copy = await KvStore.open(COPY, { fileSystem: fs, readOnly: true });
  assert.equal(copy.stats().replay.hints, 2);
  assert.equal(copy.stats().version, opened.version);
});

test("backup: a hint file written or damaged since is left out", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(image);
  await using store = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  const hint = fs.open(`${PATH}/wal/0000000001.hint`, "write");
  hint.write(Uint8Array.of(99), 0, 1, hint.size() - 20);
  hint.close();
  fs.unlink(`${PATH}/wal/0000000002.hint`);
  await store.backup(COPY);
  assert.deepEqual(logNames(fs, COPY).filter((name) => name.endsWith(".hint")), []);
  assert.deepEqual((await contentsOf(fs, COPY)).entries, await scanAll(store));
});

test("backup: a hint file that leaves out what was overwritten since is not taken along", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(withoutHints(image));
  await using reader = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  const expected = await scanAll(reader);
  // Hint files come only when everything in the first segment has been overwritten.
  const faulty = new FaultyFileSystem(fs);
  faulty.fail = ({ what, name }) =>
    what === "create" && name.endsWith(".hint.tmp") ? "EIO" : undefined;
  const writer = await openInMemory({}, faulty);
  for (const { key } of expected) await writer.set(key, "newer");
  await writer.close();
  await (await openInMemory({}, fs)).close();
  assert(logNames(fs).includes("0000000001.hint"));
  await reader.backup(COPY);
  assert.deepEqual((await contentsOf(fs, COPY)).entries, expected);
});

test("backup: nor is one that was written anew for a segment that grew and was closed", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  const hintPath = `${PATH}/wal/0000000002.hint`;
  const options = { segmentBytesMax: 6 << 20 };
  const long = new Uint8Array(5 << 20);
  const store = await openInMemory(options, fs);
  await store.set("long 1", long);
  await store.set("long 2", long);
  await store.set("old", "value");
  await store.close();
  // Writing the first hint anew holds up the one that the second segment gets when it is closed.
  base.unlink(`${PATH}/wal/0000000001.hint`);
  const size = base.stat(hintPath)?.size;
  const gate = new Gate();
  fs.beforeSyncAsync = (path) => path.endsWith(".hint.tmp") ? gate.pass() : undefined;
  await using again = await openInMemory(options, fs);
  await again.set("long 3", long);
  const names: string[] = [];
  using snapshot = await again.snapshot();
  await again.set("old", "newer");
  gate.open();
  await until("the second hint is another", () => base.stat(hintPath)?.size !== size);
  for await (const { name } of snapshot.files()) names.push(name);
  assert.deepEqual(names.filter((name) => name.endsWith(".hint")), []);
});
