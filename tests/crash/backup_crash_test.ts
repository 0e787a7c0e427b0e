/** Crashes and failing disks while a backup or a restore runs, at every call. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Entry } from "../../lib/store/types.ts";
import { contentsOf } from "../support/backup_model.ts";
import { CrashFileSystem, type CrashKind } from "../support/crash_file_system.ts";
import { FaultyFileSystem, type FileCall } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { logNames, openInMemory, pattern, scanAll, until } from "../support/test_store.ts";

const COPY = "/backup";
const RESTORED = "/restored";
/** What survives a power cut is up to chance. */
const SEEDS = { power: 2, kill: 1 } satisfies Record<CrashKind, number>;
/** So many that some calls are of every kind. */
const CALLS_MIN = 25;

/** A store of several segments, with hint files, in which nothing goes on. */
async function fill(fs: FileSystem): Promise<KvStore> {
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let index = 0; index < 24; index++) {
    await store.set(`key ${index % 16}`, pattern(400, index));
  }
  await store.batch([{ op: "set", key: "x", value: "1" }, { op: "del", key: "key 1" }]);
  const hints = store.stats().segments - 1;
  assert(hints > 1);
  await until("hint files are there", () => {
    return logNames(fs).filter((name) => name.endsWith(".hint")).length === hints;
  });
  return store;
}

/** What may be found where a copy was being made: nothing, something unfinished, or all of it. */
async function examine(
  fs: FileSystem,
  path: string,
  expected: { entries: Entry[]; version: number },
): Promise<"nothing" | "unfinished" | "complete"> {
  const names = fs.stat(`${path}/wal`) === undefined ? [] : logNames(fs, path);
  if (!names.includes("ACTIVE")) {
    assert.deepEqual(names.filter((name) => name !== "ACTIVE.tmp"), []);
    return "nothing";
  }
  try {
    assert.deepEqual(await contentsOf(fs, path), expected);
    return "complete";
  } catch (error) {
    if ((error as Error).name !== "AssertionError" && !(error instanceof KvError)) throw error;
    for (const readOnly of [true, false]) {
      const open = () => KvStore.open(path, { fileSystem: fs, readOnly });
      await failsWith("CorruptLog", /unfinished.*run it again/, open);
    }
    assert.equal((await KvStore.verify(path, { fileSystem: fs })).ok, false);
    assert.deepEqual(logNames(fs, path), names, "nothing was removed");
    return "unfinished";
  }
}

/** The calls that `work` makes, counted on a disk that works. */
async function countCalls(
  prepare: (fs: FileSystem) => Promise<KvStore>,
  work: (fs: FileSystem, store: KvStore) => Promise<unknown>,
): Promise<number> {
  const fs = new CrashFileSystem({ random: new SeededRandom(0) });
  const store = await prepare(fs);
  const before = fs.calls;
  await work(fs, store);
  const count = fs.calls - before;
  assert(count >= CALLS_MIN, `${count} calls`);
  await store.close();
  return count;
}

const TASKS = {
  backup: {
    path: COPY,
    prepare: fill,
    work: (_: FileSystem, store: KvStore) => store.backup(COPY),
  },
  restore: {
    path: RESTORED,
    prepare: async (fs: FileSystem) => {
      const store = await fill(fs);
      await store.backup(COPY);
      return store;
    },
    work: (fs: FileSystem) => KvStore.restore(COPY, RESTORED, { fileSystem: fs }),
  },
};

for (const [name, { path, prepare, work }] of Object.entries(TASKS)) {
  test(`${name}: cut off at any call, the copy is complete or does not open`, async () => {
    const callCount = await countCalls(prepare, work);
    const outcomes = new Map<string, number>();
    for (const kind of ["power", "kill"] satisfies CrashKind[]) {
      for (let call = 1; call <= callCount + 1; call++) {
        for (let seed = 0; seed < SEEDS[kind]; seed++) {
          const where = `${kind} at call ${call}, seed ${seed}`;
          const fs = new CrashFileSystem({ random: new SeededRandom(1000 * call + seed) });
          const store = await prepare(fs);
          const expected = { entries: await scanAll(store), version: store.stats().version };
          fs.stopAfter(call);
          const done = await work(fs, store).then(() => true, () => false);
          fs.stop();
          await store.close().catch(() => {});
          fs.restart(kind);
          try {
            const outcome = await examine(fs, path, expected);
            if (done) assert.equal(outcome, "complete");
            if (call <= callCount) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
            await using again = await openInMemory({}, fs);
            assert.deepEqual(await scanAll(again), expected.entries, "the source has everything");
          } catch (error) {
            throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
          }
        }
      }
    }
    assert.deepEqual([...outcomes.keys()].sort(), ["complete", "nothing", "unfinished"]);
  });

  for (const [code, expectedCode] of [["ENOSPC", "NoSpace"], ["EIO", "Io"]] as const) {
    for (const lasting of [false, true]) {
      const title = `${name}: ${code} at any call${lasting ? ", and from then on" : ""}`;
      test(`${title}, is reported, and the store goes on`, async () => {
        let failed = 0;
        for (let at = 0;; at++) {
          const fs = new FaultyFileSystem(new MemoryFileSystem());
          const store = await prepare(fs);
          let calls = 0;
          const failing = failAt(code, () => {
            calls++;
            return lasting ? calls > at : calls === at + 1;
          });
          const expected = { entries: await scanAll(store), version: store.stats().version };
          fs.fail = failing;
          const error = await work(fs, store).then(() => undefined, (reason) => reason);
          fs.heal();
          if (calls <= at) {
            assert.equal(error, undefined);
            await store.close();
            break;
          }
          // That the old ACTIVE.tmp could not be removed, or a directory be cleared, may not matter.
          if (error !== undefined) {
            failed++;
            const pattern = code === "ENOSPC" ? /disk is full there/ : /simulated|./;
            await failsWith(expectedCode, pattern, () => Promise.reject(error));
            const outcome = await examine(fs, path, expected);
            if (!lasting) {
              assert.notEqual(outcome, "complete");
              await work(fs, store);
            }
          }
          if (!lasting) assert.equal(await examine(fs, path, expected), "complete");
          await store.set("afterwards", `${at}`);
          assert.equal(store.stats().writesInFlight, 0);
          await store.close();
        }
        assert(failed >= CALLS_MIN, `${failed} failures`);
      });
    }
  }
}

/** Fails calls that change something, as `isDue` says. */
/** Errors of these calls are the source's, which is then called damaged. */
const READING: ReadonlySet<string> = new Set(["open", "read"]);

function failAt(code: string, isDue: () => boolean): (call: FileCall) => string | undefined {
  return ({ what }) => !READING.has(what) && isDue() ? code : undefined;
}

test("backup: on a disk with too little space, whatever there is of it", async () => {
  for (const space of [0, 50, 100, 1000, 5000, 9000]) {
    const fs = new FaultyFileSystem(new MemoryFileSystem());
    await using store = await fill(fs);
    fs.spaceLeft = space;
    const error = await failsWith("NoSpace", /disk is full there/, () => store.backup(COPY));
    assert(error.path?.startsWith(COPY));
    assert(logNames(fs, COPY).every((name) => name === "ACTIVE"));
    fs.heal();
    await store.set("more", "1");
    await store.backup(COPY);
  }
});

test("backup: one that fails at its last call does not open, even with no space for a mark", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  await using store = await fill(fs);
  let renames = 0;
  let failed = false;
  fs.fail = ({ what }) => {
    if (what === "rename") renames++;
    if (failed) return what === "create" || what === "write" ? "ENOSPC" : undefined;
    failed = renames === 2 && what === "syncDirectory";
    return failed ? "EIO" : undefined;
  };
  await failsWith("Io", /./, () => store.backup(COPY));
  assert(failed);
  fs.heal();
  assert.deepEqual(logNames(fs, COPY), []);
});

test("backup: everything is synced before ACTIVE names it, and ACTIVE comes last", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  await using store = await fill(fs);
  const before = fs.calls.length;
  await store.backup(COPY);
  const calls = fs.calls.slice(before).filter((call) => !/^(?:read|open|lock|make)/.test(call));
  const changes = calls.slice(0, 5).map((call) => call.replace(/unlink .*/, ""));
  assert.deepEqual(changes.filter((call) => call !== "").slice(0, 4), [
    "create ACTIVE.tmp",
    "write ACTIVE.tmp",
    "sync ACTIVE.tmp",
    "rename ACTIVE",
  ]);
  const names = logNames(fs, COPY).filter((name) => name !== "ACTIVE");
  for (const name of names) {
    const synced = calls.lastIndexOf(`sync ${name}`);
    assert(calls.lastIndexOf(`write ${name}`) < synced, name);
    assert(synced < calls.lastIndexOf("create ACTIVE.tmp"), name);
  }
  assert.deepEqual(calls.slice(-5), [
    "create ACTIVE.tmp",
    "write ACTIVE.tmp",
    "sync ACTIVE.tmp",
    "rename ACTIVE",
    "syncDirectory wal",
  ]);
  assert.equal(calls.at(-7), "syncDirectory wal");
});
