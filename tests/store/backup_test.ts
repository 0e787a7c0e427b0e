/** Backups of a store: what is in them, where they may go, and what closing does to them. */

import assert from "node:assert/strict";
import { lstatSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { contentsOf } from "../support/backup_model.ts";
import { CountingFileSystem } from "../support/counting_file_system.ts";
import { assertUntouched, fromImage, takeImage } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { writeSegments } from "../support/segmented_store.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  DURABILITIES,
  LAZY,
  logNames,
  openInMemory,
  PATH,
  pattern,
  scanAll,
  turn,
  until,
} from "../support/test_store.ts";

const COPY = "/backup";
const IDLE_TURNS = 50;

for (const [name, durability] of DURABILITIES) {
  test(`backup, ${name}: everything acknowledged, with versions and expiries`, async () => {
    const fs = new CountingFileSystem();
    const store = await openInMemory({ durability, segmentBytesMax: 4096 }, fs);
    for (let index = 0; index < 60; index++) {
      await store.set(
        `key ${index % 25}`,
        pattern(150, index),
        index % 7 ? {} : { ttl: 3_600_000 },
      );
    }
    await store.delete("key 3");
    const { version } = await store.batch([
      { op: "set", key: "x", value: "1" },
      { op: "del", key: "key 4" },
      { op: "set", key: "y", value: "2" },
    ]);
    await store.compact();
    const report = await store.backup(COPY);
    assert.equal(report.version, version);
    assert(store.stats().segments > 2);
    const names = logNames(fs, COPY);
    assert.equal(report.files, names.length);
    const sizes = names.map((each) => fs.stat(`${COPY}/wal/${each}`)!.size);
    assert.equal(report.bytes, sizes.reduce((sum, size) => sum + size, 0));
    const expected = await scanAll(store);
    const { nodeId } = store.stats();
    await store.close();
    assert.deepEqual([fs.openPaths, fs.locks], [[], 0]);

    assert.deepEqual(await contentsOf(fs, COPY), { entries: expected, version });
    // It is a store of its own, which goes on counting where the other was.
    await using copy = await KvStore.open(COPY, { fileSystem: fs });
    assert.equal(copy.stats().nodeId, nodeId);
    assert.equal((await copy.set("new", "")).version, version + 1);
  });
}

test("backup: of an empty store, and the next version is 1", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  assert.equal((await store.backup(COPY)).version, 0);
  assert.deepEqual(await contentsOf(fs, COPY), { entries: [], version: 0 });
  await using copy = await KvStore.open(COPY, { fileSystem: fs });
  assert.equal((await copy.set("first", "")).version, 1);
});

test("backup: of a store that is open for reading only, beside the one that writes", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let index = 0; index < 40; index++) await store.set(`key ${index}`, pattern(300, index));
  await using reader = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  const expected = await scanAll(reader);
  for (let index = 0; index < 60; index++) await store.set(`key ${index % 30}`, "newer");
  await store.compact();
  const { version } = await reader.backup(COPY);
  assert.equal(version, 40);
  assert.deepEqual(await contentsOf(fs, COPY), { entries: expected, version: 40 });
});

test("backup: a torn tail is left behind", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(image);
  const file = fs.open(`${PATH}/wal/0000000003.log`, "write");
  file.write(new Uint8Array(50).fill(1), 0, 50, file.size());
  file.close();
  await using store = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  assert.equal(store.stats().replay.truncatedBytes, 50);
  await store.backup(COPY);
  assert.deepEqual((await contentsOf(fs, COPY)).entries, await scanAll(store));
});

test("backup: several at once, each as of its own moment", async () => {
  const fs = new CountingFileSystem();
  const store = await openInMemory({}, fs);
  await store.set("a", pattern(3 << 20));
  const first = store.backup("/first");
  const second = store.backup("/second");
  await store.set("b", "2");
  const third = store.backup("/third");
  assert.deepEqual((await Promise.all([first, second, third])).map(({ version }) => version), [
    1,
    1,
    2,
  ]);
  for (const [path, size] of [["/first", 1], ["/second", 1], ["/third", 2]] as const) {
    assert.equal((await contentsOf(fs, path)).entries.length, size);
  }
  await store.close();
  assert.deepEqual([fs.openPaths, fs.locks], [[], 0]);
});

test("backup: one destination takes one of two, and the other finds it in use", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", "1");
  const results = await Promise.allSettled([store.backup(COPY), store.backup(COPY)]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  await failsWith("Locked", /choose another path/, () => {
    throw (results[1] as PromiseRejectedResult).reason;
  });
  assert.equal((await contentsOf(fs, COPY)).version, 1);
});

test("backup: destinations that cannot be", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", "1");
  const refuses = (path: string, message: RegExp) =>
    failsWith("InvalidArgument", message, () => store.backup(path));
  await refuses(PATH, /choose another path/);
  await refuses(`${PATH}/../store/`, /choose another path/);
  await refuses(`${PATH}/wal`, /lies in/);
  await refuses(`${PATH}/sub/directory`, /lies in/);
  await refuses("", /pass the path/);
  await refuses(7 as unknown as string, /pass the path/);
  fs.makeDirectory("/full");
  fs.open("/full/notes", "create").close();
  await refuses("/full", /not empty/);
  await refuses("/full/notes", /not a directory/);
  await failsWith("InvalidArgument", /sinal/, () => store.backup(COPY, { sinal: 1 } as never));
  await failsWith("InvalidArgument", /signal/, () => store.backup(COPY, { signal: 1 } as never));
  assert.deepEqual(fs.readDirectory("/").sort(), ["full", "store"]);
  fs.makeDirectory("/empty");
  await store.backup("/empty");
  await refuses("/empty", /not empty/);
  await store.backup("/storehouse");
});

test("backup: a destination that somebody else was faster to fill is left alone", async () => {
  const base = new MemoryFileSystem();
  const fs = new InterceptingFileSystem(base);
  await using store = await openInMemory({}, fs);
  fs.beforeChange = (what, path) => {
    if (what !== "makeDirectory" || base.stat(COPY) !== undefined) return;
    base.makeDirectory(path);
    base.open(`${path}/ACTIVE`, "create").close();
  };
  await failsWith("InvalidArgument", /not empty/, () => store.backup(COPY));
  assert.deepEqual([logNames(base, COPY), base.stat(`${COPY}/wal/ACTIVE`)?.size], [["ACTIVE"], 0]);
  base.lock(`${COPY}/LOCK`)!.release();
});

test("backup: a file that another store has open is not copied over", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  fs.makeDirectory(COPY);
  const lock = fs.lock(`${COPY}/LOCK`);
  await failsWith("Locked", /in use/, () => store.backup(COPY));
  lock?.release();
  await store.backup(COPY);
});

test("backup: damage in the store is named, and not copied", async () => {
  const { image } = await writeSegments();
  for (const name of ["0000000001.log", "0000000003.log"]) {
    const fs = fromImage(image);
    await using store = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
    const file = fs.open(`${PATH}/wal/${name}`, "write");
    const byte = new Uint8Array(1);
    file.read(byte, 0, 1, 84);
    byte[0]! ^= 4;
    file.write(byte, 0, 1, 84);
    file.close();
    const before = takeImage(fs);
    const error = await failsWith("CorruptLog", /damaged at offset 59/, () => store.backup(COPY));
    assert.deepEqual([error.path, error.offset], [`${PATH}/wal/${name}`, 59]);
    assert.equal(error.fileId, parseInt(name));
    assertUntouched(fs, before);
    assert.deepEqual(logNames(fs, COPY), ["ACTIVE"]);
    await failsWith("CorruptLog", /unfinished/, () => KvStore.open(COPY, { fileSystem: fs }));
    await failsWith(
      "CorruptLog",
      /unfinished/,
      () => KvStore.restore(COPY, "/x", { fileSystem: fs }),
    );
  }
});

test("backup: whole frames that are missing at the end of a closed segment are noticed", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(image);
  await using store = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  const file = fs.open(`${PATH}/wal/0000000002.log`, "write");
  file.truncate(59);
  file.close();
  await failsWith("CorruptLog", /0000000002.log/, () => store.backup(COPY));
});

test("backup: after a failed write the durable part can still be saved", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  await store.set("a", "1");
  fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  await failsWith("Io", /./, () => store.set("b", "2"));
  fs.heal();
  assert.equal((await store.backup(COPY)).version, 1);
  assert.deepEqual((await contentsOf(fs, COPY)).entries.map(({ key }) => key), ["a"]);
  await store.close();

  const lazy = await KvStore.open("/lazy", { fileSystem: fs, durability: LAZY });
  await lazy.set("a", "1");
  fs.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  await failsWith("Io", /./, () => lazy.flush());
  fs.heal();
  await failsWith("Io", /./, () => lazy.backup("/other"));
  assert.equal(fs.stat("/other"), undefined);
  await failsWith("Io", /./, () => lazy.close());
});

test("backup: closing the store ends it, and leaves nothing open", async () => {
  for (const turns of [0, 1, 2, 3, 5, 8, 13, 21]) {
    const fs = new CountingFileSystem();
    const store = await openInMemory({ segmentBytesMax: 1 << 20 }, fs);
    for (let index = 0; index < 4; index++) {
      await store.set(`key ${index}`, pattern(1 << 20, index));
    }
    for (let idle = 0; idle < IDLE_TURNS; idle++) await turn();
    const outcome = store.backup(COPY).then(() => undefined, (error) => error);
    for (let count = 0; count < turns; count++) await turn();
    await store.close();
    assert.deepEqual([fs.openPaths, fs.locks], [[], 0], `after ${turns} turns`);
    const error = await outcome;
    if (error === undefined) continue;
    await failsWith("Closed", /open it/, () => Promise.reject(error));
    if (fs.stat(COPY) === undefined) continue;
    assert.deepEqual(logNames(fs, COPY), ["ACTIVE"]);
    // The attempt counts for nothing: another may have its place.
    await using again = await openInMemory({}, fs);
    await again.backup(COPY);
  }
});

test("backup: of a closed store there is none", async () => {
  const store = await openInMemory();
  await store.close();
  await failsWith("Closed", /closed/, () => store.backup(COPY));
  await failsWith("Closed", /closed/, () => store.snapshot());
});

test("backup: an aborted one removes what it wrote", async () => {
  const fs = new CountingFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", pattern(3 << 20));
  await assert.rejects(store.backup(COPY, { signal: AbortSignal.abort("early") }), (reason) => {
    return reason === "early";
  });
  assert.equal(fs.stat(COPY), undefined);
  const controller = new AbortController();
  const backup = store.backup(COPY, { signal: controller.signal });
  backup.catch(() => {});
  await until(
    "a segment is being written",
    () => logNamesIfAny(fs).some((name) => /log/.test(name)),
  );
  controller.abort("late");
  await assert.rejects(backup, (reason) => reason === "late");
  assert.deepEqual(logNames(fs, COPY), ["ACTIVE"]);
  await store.backup(COPY, { signal: new AbortController().signal });
});

function logNamesIfAny(fs: CountingFileSystem): string[] {
  return fs.stat(`${COPY}/wal`) === undefined ? [] : logNames(fs, COPY);
}

test("backup: only the owner can read it", async () => {
  using directory = new TemporaryDirectory();
  await using store = await KvStore.open(directory.join("store"));
  await store.set("a", "1");
  const copy = directory.join("deep", "backup");
  await store.backup(copy);
  const modes = readdirSync(copy, { recursive: true }).map(String).sort()
    .map((name) => [name, lstatSync(`${copy}/${name}`).mode & 0o777]);
  assert.deepEqual(modes, [
    ["LOCK", 0o600],
    ["wal", 0o700],
    ["wal/0000000001.log", 0o600],
    ["wal/ACTIVE", 0o600],
    ["wal/NODE_ID", 0o600],
  ]);
  assert.equal(lstatSync(copy).mode & 0o777, 0o700);
  await KvStore.restore(copy, directory.join("restored"));
  await using restored = await KvStore.open(directory.join("restored"));
  assert.equal(restored.stats().version, 1);
});
