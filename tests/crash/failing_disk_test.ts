/** Errors of the disk: nobody is told that a write is safe, reads go on, and reopening works. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { Durability } from "../../lib/store/types.ts";
import { FaultyFileSystem, type FileCall } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { mustOpen, read } from "../support/store_outcome.ts";
import { openInMemory, text, turn } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;

const LOG = "0000000001.log";
const BATCHED: Durability = { bytes: 4096, millis: 3_600_000 };

async function openFaulty(durability: Durability = "immediate", segmentBytesMax = 1 << 20) {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory({ durability, segmentBytesMax }, fs);
  await store.set("a", "1");
  await store.flush();
  return { fs, store };
}

/** Makes the next call of this kind fail, once; later ones would succeed. */
function failOnce(fs: FaultyFileSystem, what: FileCall["what"], name: RegExp): void {
  let failed = false;
  fs.fail = (call) => {
    if (failed || call.what !== what || !name.test(call.name)) return undefined;
    failed = true;
    return "EIO";
  };
}

for (const what of ["write", "sync"] as const) {
  test(`a failed ${what} fails every write that waits for it, and all later ones`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { fs, store } = await openFaulty();
    const { failure } = store;
    assert.equal(failure, undefined);
    failOnce(fs, what, /log$/);
    const syncsBefore = fs.calls.filter((call) => call === `sync ${LOG}`).length;
    const results = await Promise.allSettled([
      store.set("b", "2"),
      store.set("c", "3"),
      store.batch([{ op: "set", key: "d", value: "4" }, { op: "del", key: "a" }]),
    ]);
    for (const result of results) {
      assert(result.status === "rejected" && result.reason instanceof KvError);
      assert.equal(result.reason.code, "Io");
    }
    await failsWith("Io", /takes no more writes.*reopen/, () => store.set("e", "5"));
    await failsWith("Io", /takes no more writes/, () => store.delete("a"));
    await failsWith("Io", /takes no more writes/, () => store.batch([{ op: "del", key: "a" }]));
    await failsWith("Io", /takes no more writes/, () => store.setSync("e", "5"));
    await failsWith("Io", /takes no more writes/, () => store.flush());
    await failsWith("Io", /takes no more writes/, () => store.compact());
    assert.equal(store.failure?.code, "Io");
    assert.deepEqual((await read(store)).state, { a: "1" }, "reads go on, as of the last success");
    await store.close();
    assert.throws(() => store.failure, { code: "Closed" });
    const syncs = fs.calls.filter((call) => call === `sync ${LOG}`).length - syncsBefore;
    assert.equal(syncs, what === "sync" ? 1 : 0, "a failed fsync is not tried again");
    fs.heal();
    const { state } = await mustOpen(fs);
    assert.equal(state["a"] ?? state["b"], state["a"] ?? "2", "a prefix of what was issued");
    if (what === "write") assert.deepEqual(state, { a: "1" });
  });

  test(`a failed ${what} under a blocking write`, { timeout: TIMEOUT_MS }, async () => {
    const { fs, store } = await openFaulty();
    failOnce(fs, what, /log$/);
    await failsWith("Io", /./, () => store.setSync("b", "2"));
    await failsWith("Io", /takes no more writes/, () => store.setSync("c", "3"));
    assert.equal(text(store.getSync("a")), "1");
    await store.close();
    fs.heal();
    const { state } = await mustOpen(fs);
    assert.equal(state["a"], "1");
    assert(!("c" in state), "what was refused is not there");
  });

  test(`a failed ${what} under batched durability is told by flush and close`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { fs, store } = await openFaulty(BATCHED);
    failOnce(fs, what, /log$/);
    await store.set("b", "2");
    await failsWith("Io", /./, () => store.flush());
    await failsWith("Io", /takes no more writes/, () => store.set("c", "3"));
    await failsWith("Io", /./, () => store.flush());
    assert.equal(text(await store.get("a")), "1");
    assert.equal(text(await store.get("b")), "2", "acknowledged, so it is visible");
    await failsWith("Io", /./, () => store.close());
    fs.heal();
    assert.equal((await mustOpen(fs)).state["a"], "1");
  });
}

test("a failed sync in the background under batched durability stops writes", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { fs, store } = await openFaulty(BATCHED);
  failOnce(fs, "sync", /log$/);
  let acknowledged = 0;
  const error = await (async () => {
    for (let index = 0; index < 1000; index++) {
      await store.set(`key ${index}`, "x".repeat(500));
      acknowledged++;
      await turn();
    }
  })().catch((error) => error);
  assert(error instanceof KvError && error.code === "Io");
  assert(acknowledged > 0 && acknowledged < 100);
  await failsWith("Io", /./, () => store.close());
});

const ROTATION: [what: FileCall["what"], name: RegExp][] = [
  ["create", /02\.log$/],
  ["write", /02\.log$/],
  ["sync", /02\.log$/],
  ["sync", /01\.log$/],
  ["create", /ACTIVE/],
  ["write", /ACTIVE/],
  ["sync", /ACTIVE/],
  ["rename", /ACTIVE/],
  ["syncDirectory", /wal/],
];

for (const [what, name] of ROTATION) {
  test(`rotation with a failing ${what} of ${name} loses nothing acknowledged`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { fs, store } = await openFaulty("immediate", 4096);
    const written: Record<string, string> = { a: "1" };
    let error: unknown;
    for (let index = 0; index < 40 && error === undefined; index++) {
      if (index === 4) failOnce(fs, what, name);
      const [key, value] = [`key ${index}`, "x".repeat(300)];
      await store.set(key, value).then(() => written[key] = value, (reason) => error = reason);
    }
    assert(error instanceof KvError && error.code === "Io", `no failure: ${String(error)}`);
    await failsWith("Io", /takes no more writes/, () => store.set("later", "2"));
    assert.deepEqual((await read(store)).state, written);
    await store.close();
    fs.heal();
    const { state } = await mustOpen(fs);
    for (const [key, value] of Object.entries(written)) assert.equal(state[key], value);
    assert(Object.keys(state).length <= Object.keys(written).length + 1);
    const again = await openInMemory({ segmentBytesMax: 4096 }, fs);
    for (let index = 0; index < 40; index++) await again.set(`more ${index}`, "y".repeat(300));
    await again.close();
    assert.equal(Object.keys((await mustOpen(fs)).state).length, Object.keys(state).length + 40);
  });
}

test("compaction with any one call failing leaves a store that works and reopens", {
  timeout: TIMEOUT_MS,
}, async () => {
  let failing = 0;
  for (let failed = true; failed; failing++) {
    const fs = new FaultyFileSystem(new MemoryFileSystem());
    const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
    for (let index = 0; index < 60; index++) {
      await store.set(`key ${index % 13}`, `${index}`.padEnd(150, "x"));
    }
    await store.delete("key 5");
    for (let turns = 0; turns < 20; turns++) await turn();
    const before = (await read(store)).state;
    let count = 0;
    fs.fail = ({ what }) => what !== "read" && count++ === failing ? "EIO" : undefined;
    const outcome = await store.compact().catch((error) => error);
    failed = count > failing;
    fs.heal();
    const what = `call ${failing} of the compaction`;
    if (outcome instanceof Error) assert.equal((outcome as KvError).code, "Io", what);
    assert.deepEqual((await read(store)).state, before, what);
    await store.set("later", "1").then(() => before["later"] = "1", () => {});
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, before, what);
    const again = await openInMemory({ segmentBytesMax: 4096 }, fs);
    await again.compact();
    assert.deepEqual((await read(again)).state, before, what);
    await again.close();
  }
  assert(failing > 10, `${failing} calls`);
});

test("a hint file that cannot be written is done without", { timeout: TIMEOUT_MS }, async () => {
  const { fs, store } = await openFaulty("immediate", 4096);
  fs.fail = ({ name }) => /hint/.test(name) ? "EIO" : undefined;
  for (let index = 0; index < 40; index++) await store.set(`key ${index}`, "x".repeat(300));
  for (let turns = 0; turns < 50; turns++) await turn();
  await store.close();
  fs.heal();
  const opened = await mustOpen(fs);
  assert.equal(Object.keys(opened.state).length, 41);
  assert.equal(opened.hints, 0);
});

test(
  "a disk that cannot be read refuses with Io, and is no corruption",
  { timeout: TIMEOUT_MS },
  async () => {
    const { fs, store } = await openFaulty();
    await store.set("b", "2");
    fs.fail = ({ what }) => what === "read" ? "EIO" : undefined;
    await failsWith("Io", /Cannot read/, () => store.get("a"));
    fs.heal();
    assert.equal(text(await store.get("a")), "1");
    await store.close();
    fs.fail = ({ what, name }) => what === "read" && name === LOG ? "EIO" : undefined;
    await failsWith("Io", /Cannot read/, () => openInMemory({}, fs));
    fs.heal();
    assert.deepEqual((await mustOpen(fs)).state, { a: "1", b: "2" });
  },
);

test("opening with any one call failing gives the lock back and harms nothing", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { fs, store } = await openFaulty();
  await store.set("b", "2");
  const torn = fs.open(`/store/wal/${LOG}`, "write");
  torn.write(new Uint8Array(100), 0, 100, torn.size() + 30);
  await store.close();
  let failing = 0;
  for (let failed = true; failed; failing++) {
    torn.write(new Uint8Array(100), 0, 100, torn.size());
    let count = 0;
    fs.fail = ({ what }) => what !== "read" && count++ === failing ? "EIO" : undefined;
    const opened = await openInMemory({}, fs).catch((error) => error);
    failed = count > failing;
    fs.heal();
    if (!(opened instanceof Error)) await opened.close();
    assert.deepEqual((await mustOpen(fs)).state, { a: "1", b: "2" }, `call ${failing}`);
  }
  assert(failing > 4, `${failing} calls`);
});

test("short reads and writes make no difference", { timeout: TIMEOUT_MS }, async () => {
  const random = new SeededRandom(4);
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  fs.shorten = (wanted) => random.between(1, Math.max(1, Math.min(wanted, 97)));
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  const written: Record<string, string> = {};
  for (let index = 0; index < 60; index++) {
    const key = `key ${index % 23}`;
    written[key] = `${index} `.repeat(random.between(1, 300));
    await store.set(key, written[key]);
  }
  await store.compact();
  await store.set("long", written["long"] = "z".repeat(100_000));
  assert.equal(text(await store.get("long")), written["long"]);
  await store.close();
  assert.deepEqual((await mustOpen(fs)).state, written);
});
