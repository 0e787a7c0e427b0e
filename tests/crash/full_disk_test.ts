/** A disk that fills up: writes get NoSpace, reads go on, and with space again all is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { fromImage } from "../support/disk_image.ts";
import { leftByKill } from "../support/killed_store.ts";
import { failsWith } from "../support/kv_error.ts";
import { mustOpen, read } from "../support/store_outcome.ts";
import { openInMemory, PATH, text, turn } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;

const EARLIER = { a: "1", b: "2" };
const VALUE = "x".repeat(60);
const SMALL = { segmentBytesMax: 4096 };

async function openFull(options = {}) {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory(options, fs);
  for (const [key, value] of Object.entries(EARLIER)) await store.set(key, value);
  return { fs, store };
}

test("full at any byte of a record: nothing of it is found, and everything else is", {
  timeout: TIMEOUT_MS,
}, async () => {
  const probe = await openFull();
  const before = probe.store.stats().totalBytes;
  await probe.store.set("c", VALUE);
  const recordBytes = probe.store.stats().totalBytes - before;
  await probe.store.close();
  for (let spaceLeft = 0; spaceLeft < recordBytes; spaceLeft++) {
    const { fs, store } = await openFull();
    fs.spaceLeft = spaceLeft;
    await failsWith("NoSpace", /disk is full/, () => store.set("c", VALUE));
    await failsWith("NoSpace", /takes no more writes/, () => store.set("d", "4"));
    assert.deepEqual((await read(store)).state, EARLIER);
    await store.close();
    fs.heal();
    const { state, truncatedBytes } = await mustOpen(fs);
    assert.deepEqual(state, EARLIER, `${spaceLeft} bytes left`);
    assert.equal(truncatedBytes, 0, "what was half written was cut off at once");
  }
});

test("full, and the half-written record cannot be cut off: reopening does it", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const spaceLeft of [1, 20, 30, 60, 87]) {
    const { fs, store } = await openFull();
    fs.spaceLeft = spaceLeft;
    fs.fail = ({ what }) => what === "truncate" ? "EIO" : undefined;
    await failsWith("NoSpace", /disk is full/, () => store.set("c", VALUE));
    await store.close();
    fs.heal();
    const { state, truncatedBytes } = await mustOpen(fs);
    assert.deepEqual(state, EARLIER);
    assert.equal(truncatedBytes, spaceLeft);
  }
});

test("full in the midst of a batch: none of it is found", { timeout: TIMEOUT_MS }, async () => {
  for (let spaceLeft = 0; spaceLeft < 300; spaceLeft += 7) {
    const { fs, store } = await openFull();
    fs.spaceLeft = spaceLeft;
    const batch = store.batch([
      { op: "set", key: "c", value: VALUE },
      { op: "del", key: "a" },
      { op: "set", key: "d", value: VALUE.repeat(3) },
    ]);
    await failsWith("NoSpace", /disk is full/, () => batch);
    assert.equal(text(await store.get("a")), "1");
    await store.close();
    fs.heal();
    assert.deepEqual((await mustOpen(fs)).state, EARLIER);
  }
});

test(
  "full under batched durability: what was flushed is there",
  { timeout: TIMEOUT_MS },
  async () => {
    const { fs, store } = await openFull({ durability: { bytes: 4096, millis: 3_600_000 } });
    await store.flush();
    fs.spaceLeft = 50;
    await store.set("c", VALUE);
    await failsWith("NoSpace", /disk is full/, () => store.flush());
    await failsWith("NoSpace", /takes no more writes/, () => store.set("d", "4"));
    assert.equal(text(await store.get("c")), VALUE, "acknowledged, so it is visible");
    await failsWith("NoSpace", /./, () => store.close());
    fs.heal();
    assert.deepEqual((await mustOpen(fs)).state, EARLIER);
  },
);

test("full while segments are closed and begun, at any byte", { timeout: TIMEOUT_MS }, async () => {
  // Around the end of a segment: its last mark, the next header, ACTIVE, the hint file.
  for (let spaceLeft = 3600; spaceLeft < 4600; spaceLeft += 9) {
    const { fs, store } = await openFull(SMALL);
    fs.spaceLeft = spaceLeft;
    const written: Record<string, string> = { ...EARLIER };
    let error: unknown;
    for (let index = 0; index < 40 && error === undefined; index++) {
      const [key, value] = [`key ${index}`, "x".repeat(250)];
      await store.set(key, value).then(() => written[key] = value, (reason) => error = reason);
    }
    assert(error instanceof KvError && error.code === "NoSpace", String(error));
    assert.deepEqual((await read(store)).state, written);
    await store.close();
    fs.heal();
    const { state } = await mustOpen(fs, SMALL);
    for (const [key, value] of Object.entries(written)) assert.equal(state[key], value);
    assert(Object.keys(state).length <= Object.keys(written).length + 1);
  }
});

test("full during compaction: it fails, the store goes on, and nothing is left behind", {
  timeout: TIMEOUT_MS,
}, async () => {
  let done = false;
  let failures = 0;
  for (let spaceLeft = 0; !done; spaceLeft += 31) {
    const { fs, store } = await openFull(SMALL);
    for (let index = 0; index < 60; index++) {
      await store.set(`key ${index % 13}`, `${index}`.padEnd(150, "x"));
    }
    for (let turns = 0; turns < 20; turns++) await turn();
    const before = (await read(store)).state;
    fs.spaceLeft = spaceLeft;
    const outcome = await store.compact().catch((error) => error);
    done = !(outcome instanceof Error);
    if (!done) {
      failures++;
      assert.equal((outcome as KvError).code, "NoSpace", String(outcome.stack));
    }
    assert.deepEqual((await read(store)).state, before);
    fs.spaceLeft = Infinity;
    // Closing the active segment may be what failed; then the store waits to be reopened.
    await store.set("later", "1").then(() => before["later"] = "1", () => {});
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, before, `${spaceLeft} bytes left`);
    assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);
  }
  assert(failures > 10);
});

test("full from any write of a compaction on: reads go on, and with space again all is there", {
  timeout: TIMEOUT_MS,
}, async () => {
  let failed = true;
  let failures = 0;
  for (let failing = 0; failed; failing++) {
    const { fs, store } = await openFull(SMALL);
    for (let index = 0; index < 60; index++) {
      await store.set(`key ${index % 13}`, `${index}`.padEnd(150, "x"));
    }
    for (let turns = 0; turns < 20; turns++) await turn();
    const before = (await read(store)).state;
    let count = 0;
    fs.fail = ({ what }) =>
      (what === "write" || what === "create") && count++ >= failing ? "ENOSPC" : undefined;
    const outcome = await store.compact().catch((error) => error);
    failed = count > failing;
    if (!failed) fs.heal();
    if (outcome instanceof Error) {
      failures++;
      assert.equal((outcome as KvError).code, "NoSpace");
    }
    assert.deepEqual((await read(store)).state, before, `write ${failing}`);
    if (failed) {
      // The disk stays full, so what is asked for is refused, and stays so with space again.
      await failsWith("NoSpace", /./, () => store.set("refused", "1"));
      fs.heal();
      await failsWith("NoSpace", /takes no more writes/, () => store.set("refused", "2"));
    }
    assert.deepEqual((await read(store)).state, before, `write ${failing}`);
    await store.close();
    assert.deepEqual(fs.openNames, []);
    assert.deepEqual((await mustOpen(fs)).state, before, `write ${failing}`);
    assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);
  }
  assert(failures > 5, `${failures} failures`);
});

test("full at opening: the lock is given back, and with space the store opens", {
  timeout: TIMEOUT_MS,
}, async () => {
  // After a kill the log does not end with a mark, so that opening has one to write.
  const killed = await leftByKill(async (store) => {
    for (const [key, value] of Object.entries(EARLIER)) await store.set(key, value);
  });
  for (let spaceLeft = 0; spaceLeft < 60; spaceLeft++) {
    const fs = new FaultyFileSystem(fromImage(killed));
    fs.spaceLeft = spaceLeft;
    const opened = await openInMemory({}, fs).catch((error) => error);
    if (opened instanceof Error) assert.equal((opened as KvError).code, "NoSpace");
    else await closeOnFullDisk(opened as KvStore);
    assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, EARLIER);
    fs.heal();
    assert.deepEqual((await mustOpen(fs)).state, EARLIER);
  }
});

test(
  "a new store on a full disk: NoSpace, and with space it is begun",
  { timeout: TIMEOUT_MS },
  async () => {
    for (let spaceLeft = 0; spaceLeft < 250; spaceLeft += 3) {
      const fs = new FaultyFileSystem(new MemoryFileSystem());
      fs.spaceLeft = spaceLeft;
      const opened = await openInMemory({}, fs).catch((error) => error);
      if (opened instanceof Error) assert.equal((opened as KvError).code, "NoSpace");
      else await closeOnFullDisk(opened as KvStore);
      fs.heal();
      const store = await openInMemory({}, fs);
      await store.set("a", "1");
      await store.close();
      assert.deepEqual((await mustOpen(fs)).state, { a: "1" }, `${spaceLeft} bytes left`);
    }
  },
);

/** Closing has notes to write, for which there may be no space; everything is durable without. */
async function closeOnFullDisk(store: KvStore): Promise<void> {
  await store.close().catch((error: KvError) => assert.equal(error.code, "NoSpace"));
}
