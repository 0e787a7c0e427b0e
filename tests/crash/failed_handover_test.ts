/** Compaction and rotation that fail at any call: nothing is lost, and no descriptor left behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { FaultyFileSystem, type FileCall } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { mustOpen, read } from "../support/store_outcome.ts";
import {
  assertExact,
  logNames,
  openInMemory,
  segmentIds,
  turn,
  until,
} from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;
/** Whatever went wrong before, closing may write a checkpoint of what is there then. */
const SMALL = { segmentBytesMax: 4096, checkpointRecordsMin: 0 };

/** A store with several closed segments that are mostly dead. */
async function openWorn() {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  const store = await openInMemory(SMALL, fs);
  for (let index = 0; index < 60; index++) {
    await store.set(`key ${index % 13}`, `${index}`.padEnd(150, "x"));
  }
  await store.delete("key 5");
  // Hint files are written in the background.
  for (let turns = 0; turns < 50; turns++) await turn();
  return { fs, store, state: (await read(store)).state };
}

/** A store that does nothing has each segment of its log open, and the newest one twice. */
function assertNoneTooMany(fs: FaultyFileSystem, store: KvStore, what: string): void {
  const open = fs.openNames;
  assert(open.every((name) => name.endsWith(".log")), `${what}: ${open}`);
  assert.equal(open.length, store.stats().segments + 1, `${what}: ${open}`);
}

/** Goes through compaction once for every call of it, which fails, and tells which call it was. */
async function failAtEveryCall(
  check: (context: Awaited<ReturnType<typeof openWorn>>, call: FileCall) => Promise<void>,
): Promise<void> {
  for (let failing = 0;; failing++) {
    const worn = await openWorn();
    let count = 0;
    let failed: FileCall | undefined;
    worn.fs.fail = (call) => {
      if (count++ !== failing) return undefined;
      failed = call;
      return "EIO";
    };
    const outcome = await worn.store.compact().catch((error) => error);
    worn.fs.heal();
    if (failed === undefined) {
      assert(!(outcome instanceof Error), String(outcome));
      assert(failing > 20, `${failing} calls`);
      await worn.store.close();
      return;
    }
    await check(worn, failed);
  }
}

test("after a compaction that failed at any call, the next one does it all", {
  timeout: TIMEOUT_MS,
}, async () => {
  await failAtEveryCall(async ({ fs, store, state }, { what, name }) => {
    const call = `${what} ${name}`;
    assert.deepEqual((await read(store)).state, state, call);
    const written = await store.set("later", "1").then(() => true, () => false);
    const expected = written ? { ...state, later: "1" } : state;
    if (written) {
      await store.compact();
      assert.deepEqual((await read(store)).state, expected, call);
      // Exact again, in bytes and files: nothing waits for the next opening but spare outputs.
      await assertExact(store, fs);
      assertNoneTooMany(fs, store, call);
    }
    await store.close();
    assert.deepEqual(fs.openNames, [], `${call}: a descriptor is left behind`);
    assert.deepEqual((await mustOpen(fs)).state, expected, call);
    assert.deepEqual(fs.openNames, [], call);
  });
});

test("closed and reopened right after a compaction that failed at any call, nothing is missing", {
  timeout: TIMEOUT_MS,
}, async () => {
  await failAtEveryCall(async ({ fs, store, state }, { what, name }) => {
    await store.close();
    assert.deepEqual(fs.openNames, [], `${what} ${name}: a descriptor is left behind`);
    const again = await openInMemory(SMALL, fs);
    assert.deepEqual((await read(again)).state, state, `${what} ${name}`);
    assert.equal(segmentIds(fs).length, again.stats().segments, "leftovers are gone");
    await again.close();
  });
});

test("moving index entries that fails once ACTIVE is replaced is done by the next compaction", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const failing of ["open", "read", "unlink"] as const) {
    const { fs, store, state } = await openWorn();
    const inputs = segmentIds(fs).slice(0, -1);
    const isInput = (name: string) => inputs.includes(parseInt(name));
    fs.fail = ({ what, name }) => {
      const isMeant = what === "unlink" ? isInput(name) : name.endsWith(".hint");
      return what === failing && isMeant ? "EIO" : undefined;
    };
    await failsWith("Io", /./, () => store.compact());
    assert.deepEqual((await read(store)).state, state, "reads go on");
    await store.set("key 3", "overwritten");
    await store.delete("key 4");
    await failsWith("Io", /./, () => store.compact());
    fs.heal();
    await store.compact();
    const rest: Record<string, string> = { ...state, "key 3": "overwritten" };
    delete rest["key 4"];
    assert.deepEqual((await read(store)).state, rest);
    await assertExact(store, fs);
    assertNoneTooMany(fs, store, failing);
    assert(!logNames(fs).some(isInput), "the old files are gone");
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, rest);
  }
});

test("an output that ACTIVE could not be made to name is removed, so that space comes back", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const failing of ["create", "write", "sync", "rename"] as const) {
    const { fs, store, state } = await openWorn();
    const before = segmentIds(fs);
    // Once there is the hint file of an output, the next ACTIVE is the one that names it.
    const isMade = () =>
      logNames(fs).some((name) => name.endsWith(".hint") && !before.includes(parseInt(name)));
    fs.fail = ({ what, name }) =>
      what === failing && name.startsWith("ACTIVE") && isMade() ? "ENOSPC" : undefined;
    const outcome = await store.compact().catch((error) => error);
    fs.heal();
    assert(outcome instanceof KvError && outcome.code === "NoSpace", failing);
    const isHint = (name: string) => name.includes(".hint");
    await until("the newest segment has its hint file", () => !fs.openNames.some(isHint));
    assertNoneTooMany(fs, store, failing);
    assert.deepEqual((await read(store)).state, state);
    assert.equal(segmentIds(fs).length, store.stats().segments, `${failing}: ${logNames(fs)}`);
    assert(before.every((id) => segmentIds(fs).includes(id)), "the old files are all there");
    await store.close();
    assert.deepEqual((await mustOpen(fs)).state, state);
  }
});

test("an output stays while nobody can tell whether ACTIVE names it", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { fs, store, state } = await openWorn();
  const before = segmentIds(fs);
  const isMade = () =>
    logNames(fs).some((name) => name.endsWith(".hint") && !before.includes(parseInt(name)));
  let isNamed = false;
  fs.fail = ({ what, name }) => {
    if (isNamed) return name === "ACTIVE" || what === "syncDirectory" ? "EIO" : undefined;
    isNamed = what === "rename" && name === "ACTIVE" && isMade();
    return undefined;
  };
  await failsWith("Io", /./, () => store.compact());
  assert(isNamed);
  fs.heal();
  assert.deepEqual((await read(store)).state, state);
  await store.close().catch(() => {});
  assert.deepEqual((await mustOpen(fs)).state, state);
});

test(
  "a segment that could not be begun leaves no descriptor, and no file if it could not be created",
  {
    timeout: TIMEOUT_MS,
  },
  async () => {
    const steps: [FileCall["what"], RegExp, boolean][] = [
      ["create", /02\.log$/, false],
      ["write", /02\.log$/, false],
      ["openToWrite", /02\.log$/, false],
      ["sync", /02\.log$/, true],
      ["syncDirectory", /wal/, true],
      ["write", /ACTIVE/, true],
      ["rename", /ACTIVE/, true],
    ];
    for (const [what, name, stays] of steps) {
      const fs = new FaultyFileSystem(new MemoryFileSystem());
      const store = await openInMemory(SMALL, fs);
      fs.fail = (call) => call.what === what && name.test(call.name) ? "EIO" : undefined;
      let error: unknown;
      let written = 0;
      while (error === undefined) {
        await store.set(`key ${written}`, "x".repeat(300))
          .then(() => written++, (reason) => error = reason);
        assert(written < 40);
      }
      const step = `${what} ${name.source}`;
      assert.equal(logNames(fs).includes("0000000002.log"), stays, step);
      assertNoneTooMany(fs, store, step);
      await store.close();
      assert.deepEqual(fs.openNames, [], step);
      fs.heal();
      const opened = await mustOpen(fs, SMALL);
      assert(Object.keys(opened.state).length >= written, step);
      assert.deepEqual(fs.openNames, [], step);
    }
  },
);

test("opening that fails at any call leaves no descriptor behind", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const readOnly of [false, true]) {
    let failed = true;
    for (let failing = 0; failed; failing++) {
      const { fs, store } = await openWorn();
      fs.fail = ({ what }) => what === "write" ? "EIO" : undefined;
      // A log that was not closed: opening has to sync and to mark it.
      await store.close().catch(() => {});
      let count = 0;
      fs.fail = () => count++ === failing ? "EIO" : undefined;
      const opened = await openInMemory({ ...SMALL, readOnly }, fs).catch((error) => error);
      failed = count > failing;
      fs.heal();
      if (opened instanceof Error) assert.equal((opened as KvError).code, "Io");
      else await opened.close();
      assert.deepEqual(fs.openNames, [], `call ${failing}, readOnly ${readOnly}`);
      await (await openInMemory(SMALL, fs)).close();
    }
  }
});
