/** Tools and readers open nothing for writing, sync nothing and cut nothing of what they look at. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import type { File, FileSystem } from "../../lib/fs/file_system.ts";
import type { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { SEGMENT_BYTES_LIMIT } from "../../lib/limits.ts";
import { KvStore } from "../../lib/store/store.ts";
import { TolerantFile } from "../../lib/tools/tolerant_file.ts";
import { assertUntouched, bytesOf, fromImage, withFile } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { framesOf } from "../support/frames.ts";
import { failsWith } from "../support/kv_error.ts";
import { FIRST_LOG, leftByKill } from "../support/killed_store.ts";
import { memoryFile } from "../support/memory_file.ts";
import { PATH, scanKeys, segmentIds } from "../support/test_store.ts";
import { tenKeys } from "./prepared_stores.ts";
import { REPAIRED, repairImage } from "./repaired_store.ts";

/** A file system on which the store at PATH can be read and nothing else. */
function readable(base: MemoryFileSystem, size = (file: File) => file.size()): FileSystem {
  const refuse = (what: string, path: string) => {
    if (path.startsWith(PATH)) throw new KvError("Io", `${what} ${path}: it may only be read`);
  };
  return {
    makeDirectory: (path) => (refuse("makeDirectory", path), base.makeDirectory(path)),
    readDirectory: (path) => base.readDirectory(path),
    stat: (path) => base.stat(path),
    realPath: (path) => base.realPath(path),
    open: (path, mode) => {
      if (mode !== "read") refuse(mode, path);
      const file = base.open(path, mode);
      const isSource = path.startsWith(PATH);
      return {
        path,
        read: (...range) => file.read(...range),
        readAsync: (...range) => file.readAsync(...range),
        write: (...range) => (refuse("write", path), file.write(...range)),
        sync: () => (refuse("sync", path), file.sync()),
        syncAsync: () => (refuse("sync", path), file.syncAsync()),
        truncate: (length) => (refuse("truncate", path), file.truncate(length)),
        size: () => isSource ? size(file) : file.size(),
        close: () => file.close(),
      };
    },
    rename: (from, to) => (refuse("rename", from), base.rename(from, to)),
    unlink: (path) => (refuse("unlink", path), base.unlink(path)),
    syncDirectory: (path) => (refuse("syncDirectory", path), base.syncDirectory(path)),
    lock: (path) => base.lock(path),
  };
}

test("a store that may only be read can be read, verified, inspected and repaired", async () => {
  const closed = await tenKeys();
  const torn = await leftByKill((store) => store.set("a", "1"));
  const cut = withFile(torn, FIRST_LOG, bytesOf(torn, FIRST_LOG).subarray(0, -1));
  for (const image of [closed, torn, cut]) {
    const base = fromImage(image);
    const fileSystem = readable(base);
    await using store = await KvStore.open(PATH, { fileSystem, readOnly: true });
    assert((await scanKeys(store)).includes("a") || image === cut);
    assert((await KvStore.verify(PATH, { fileSystem })).ok);
    for await (const item of KvStore.inspect(`${PATH}/wal/${FIRST_LOG}`, { fileSystem })) {
      assert(item.kind !== "damage" || image === cut);
    }
    const report = await KvStore.repair(PATH, REPAIRED, { fileSystem });
    assert(report.complete);
    assertUntouched(base, image);
  }
});

test("a file that is salvaged can be neither written nor cut", () => {
  const file = new TolerantFile(memoryFile(new Uint8Array(10)));
  assert.throws(() => file.write(), /never written/);
  assert.throws(() => file.truncate(), /never written/);
  assert.equal(file.size(), 10);
});

test("repair: no more is read of a file than a segment can be long", async () => {
  const base = fromImage(await tenKeys());
  const fileSystem = readable(base, () => SEGMENT_BYTES_LIMIT + 100);
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem });
  assert.equal(report.keys, 10);
  assert(report.bytes <= SEGMENT_BYTES_LIMIT * segmentIds(base).length);
});

test("repair: a destination that somebody has locked", async () => {
  const fs = fromImage(await tenKeys());
  fs.makeDirectory(REPAIRED);
  fs.lock(`${REPAIRED}/LOCK`);
  await failsWith("Locked", /choose another path/, () => {
    return KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  });
});

test("repair: ACTIVE is not begun before everything else is synced", async () => {
  const fs = new FaultyFileSystem(fromImage(await tenKeys()));
  await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
  const begun = fs.calls.flatMap((call, at) => call === "create ACTIVE.tmp" ? [at] : []);
  assert.equal(begun.length, 2, "that the store is unfinished, and at last what it holds");
  assert(begun[0]! < fs.calls.findIndex((call) => /^create .*\.log$/.test(call)));
  assert(begun[1]! > fs.calls.findLastIndex((call) => /^sync .*\.log$/.test(call)));
});

test("repair: versions of records that are zeros now are not given out again", async () => {
  const image = await leftByKill(async (store) => {
    await store.set("a", "1");
    await Promise.all([..."bcde"].map((key) => store.set(key, key)));
  });
  const log = bytesOf(image, FIRST_LOG).slice();
  const lost = framesOf(log).find(({ lsn, isMark }) => lsn === 2 && !isMark)!;
  log.fill(0, lost.offset);
  const { report } = await repairImage(withFile(image, FIRST_LOG, log), 1);
  assert(report.version >= 5, `${report.version}`);
});
