/** `GET /v1/backup`: an archive of one version that unpacks to a store, or is visibly none. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { KvError, KvStore } from "../../lib/mod.ts";
import { createApp, listen } from "../../lib/server/http/mod.ts";
import { exchangeUntilClosed } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { MemoryLogger, pattern, scanAll, turn, until } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";
import { assertProblem, Service } from "./service.ts";

const LAZY = { durability: { bytes: 1 << 30, millis: 3_600_000 } };
const noTar = spawnSync("tar", ["--version"]).error === undefined ? undefined : "there is no tar";

function unpack(archive: string, directory: string): number | null {
  return spawnSync("tar", ["xf", archive, "-C", directory], { stdio: "ignore" }).status;
}

/** For stores whose methods were replaced after the service had been started. */
async function askAgain(store: KvStore, method = "GET"): Promise<Response> {
  return await createApp(store).request("http://localhost:8620/v1/backup", { method });
}

/** Notes what becomes of the snapshots of a store, and how many bytes are read from them. */
function watchSnapshots(store: KvStore): { taken: number; closed: number; bytesRead: number } {
  const seen = { taken: 0, closed: 0, bytesRead: 0 };
  const take = store.snapshot.bind(store);
  store.snapshot = async () => {
    const snapshot = await take();
    seen.taken++;
    const files = snapshot.files.bind(snapshot);
    const close = snapshot.close.bind(snapshot);
    snapshot.files = async function* () {
      for await (const file of files()) {
        const pieces = async function* () {
          for await (const piece of file.pieces()) {
            seen.bytesRead += piece.length;
            yield piece;
          }
        };
        yield { name: file.name, length: file.length, pieces };
      }
    };
    snapshot.close = () => {
      seen.closed++;
      close();
    };
    return snapshot;
  };
  return seen;
}

testUnless(
  noTar,
  "backup: unpacks to the store as of the version it names, while writes go on",
  async () => {
    using directory = new TemporaryDirectory();
    await using service = await Service.start({}, { ...LAZY, segmentBytesMax: 1 << 16 });
    const { store } = service;
    const seen = watchSnapshots(store);
    for (let i = 0; i < 500; i++) store.setSync(`key ${i % 90}`, pattern(1000, i));
    await store.compact();
    store.deleteSync("key 7");
    store.setSync("expiring", "soon", { expiresAt: 4_000_000_000_000 });
    const expected = await scanAll(store);

    const response = await askAgain(store);
    // From here on it is not of that version any more.
    let isDone = false;
    const writing = (async () => {
      for (let i = 0; !isDone; i++) {
        store.setSync(`key ${i % 90}`, pattern(500, -i));
        if (i % 10 === 0) await turn();
        if (i % 100 === 99) await store.compact();
      }
    })();
    assert.equal(response.headers.get("content-type"), "application/x-tar");
    assert.equal(response.headers.get("cairn-version"), "502");
    assert.equal(
      response.headers.get("content-disposition"),
      'attachment; filename="cairn-backup-502.tar"',
    );
    const archive = directory.join("backup.tar");
    writeFileSync(archive, new Uint8Array(await response.arrayBuffer()));
    isDone = true;
    await writing;
    assert.deepEqual([seen.taken, seen.closed], [1, 1]);

    const listed = spawnSync("tar", ["tvf", archive], { encoding: "utf8" }).stdout.trim().split(
      "\n",
    );
    const names = listed.map((line) => line.split(/\s+/).at(-1)!);
    assert.deepEqual(names.slice(0, 2), ["cairn-backup-502/", "cairn-backup-502/wal/"]);
    assert.equal(names.at(-1), "cairn-backup-502/wal/ACTIVE");
    assert(names.length > 6, `${names}`);
    assert.equal(unpack(archive, directory.path), 0);
    const backup = directory.join("cairn-backup-502");
    assert.equal(statSync(backup).mode & 0o777, 0o700);
    for (const name of readdirSync(`${backup}/wal`)) {
      assert.equal(statSync(`${backup}/wal/${name}`).mode & 0o777, 0o600, name);
    }
    const restored = directory.join("restored");
    await KvStore.restore(backup, restored);
    for (const path of [backup, restored]) {
      await using copy = await KvStore.open(path);
      assert.deepEqual(await scanAll(copy), expected);
      assert.equal(copy.stats().version, 502);
      assert.equal((await copy.set("next", "1")).version, 503);
    }
  },
);

testUnless(
  noTar,
  "backup: what is missing its end unpacks with an error, and does not open",
  async () => {
    using directory = new TemporaryDirectory();
    await using service = await Service.start({}, { ...LAZY, segmentBytesMax: 1 << 16 });
    for (let i = 0; i < 200; i++) service.store.setSync(`key ${i}`, pattern(1000, i));
    const bytes = new Uint8Array(await (await service.ask("GET", "/v1/backup")).arrayBuffer());
    // Behind the first directories, in a file, between two, just before ACTIVE.
    for (const length of [1024, 5000, bytes.length >> 1, bytes.length - 2048]) {
      const archive = directory.join(`${length}.tar`);
      const destination = directory.join(`${length}`);
      spawnSync("mkdir", [destination]);
      writeFileSync(archive, bytes.subarray(0, length));
      unpack(archive, destination);
      const path = `${destination}/cairn-backup-200`;
      const hasFiles = readdirSync(`${path}/wal`).length > 0;
      if (!hasFiles) continue;
      await assert.rejects(
        KvStore.open(path),
        (error) => error instanceof KvError && error.code === "CorruptLog",
        `${length} bytes of ${bytes.length}`,
      );
    }
  },
);

test("backup: is read no faster than it is taken, and lets go when its reader leaves", async () => {
  await using service = await Service.start({}, LAZY);
  const { store } = service;
  for (let i = 0; i < 400; i++) store.setSync(`${i}`, new Uint8Array(100_000));
  const seen = watchSnapshots(store);
  const response = await askAgain(store);
  assert.equal(seen.bytesRead, 0, "nothing is read before it is asked for");
  const reader = response.body!.getReader();
  for (let taken = 0; taken < 10_000_000;) taken += (await reader.read()).value!.length;
  let before: number;
  do {
    before = seen.bytesRead;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (seen.bytesRead > before);
  // Of 40 MB: what was taken, and 8 MiB with a few pieces more.
  assert(seen.bytesRead < 22_000_000, `${seen.bytesRead} bytes were read`);
  assert.equal(seen.closed, 0);
  await reader.cancel();
  assert.equal(seen.closed, 1);
  for (let i = 0; i < 50; i++) await turn();
  assert(seen.bytesRead < 22_000_000);
});

test("backup: HEAD and clients that never read let go of the snapshot", async () => {
  await using service = await Service.start({}, LAZY);
  const seen = watchSnapshots(service.store);
  const head = await askAgain(service.store, "HEAD");
  assert.deepEqual([head.status, head.headers.get("cairn-version")], [200, "0"]);
  await (await askAgain(service.store)).body!.cancel();
  assert.deepEqual(seen, { taken: 2, closed: 2, bytesRead: 0 });
});

test("backup: four at once, and the fifth has to come again", async () => {
  await using service = await Service.start();
  const under = [];
  for (let i = 0; i < 4; i++) under.push(await service.ask("GET", "/v1/backup"));
  const refused = await service.ask("GET", "/v1/backup");
  assert(Number(refused.headers.get("retry-after")) > 0);
  await assertProblem(refused, 503, "Overloaded");
  await under[0]!.arrayBuffer();
  await under[1]!.body!.cancel();
  for (let i = 0; i < 2; i++) under.push(await service.ask("GET", "/v1/backup"));
  assert.equal((await service.ask("GET", "/v1/backup")).status, 503);
  for (const { body } of under.slice(2)) await body!.cancel();
  await assertProblem(await service.ask("GET", "/v1/backup?since=1"), 400, "InvalidArgument");
});

test("backup: damage, or a store that is closed, cuts it off without an end", async () => {
  for (const code of ["CorruptLog", "Closed"] as const) {
    await using service = await Service.start({}, LAZY);
    const { store } = service;
    for (let i = 0; i < 30; i++) store.setSync(`${i}`, new Uint8Array(1_000_000));
    const logger = new MemoryLogger();
    let app = createApp(store, { logger });
    const listener = listen({ hostname: "127.0.0.1", port: 0, fetch: (r) => app.fetch(r) });
    const request = `GET /v1/backup HTTP/1.1\r\nHost: 127.0.0.1:${listener.port}\r\n` +
      "Connection: close\r\n\r\n";
    const whole = await exchangeUntilClosed(listener.port, request);
    assert.match(whole, /\r\n0\r\n\r\n$/);
    assert(whole.includes("wal/ACTIVE"));

    const take = store.snapshot.bind(store);
    let closed = 0;
    store.snapshot = async () => {
      const snapshot = await take();
      const files = snapshot.files.bind(snapshot);
      snapshot.files = async function* () {
        for await (const file of files()) {
          const pieces = async function* () {
            let length = 0;
            for await (const piece of file.pieces()) {
              length += piece.length;
              if (length > 20_000_000) throw new KvError(code, "it fails");
              yield piece;
            }
          };
          yield { name: file.name, length: file.length, pieces };
        }
      };
      const close = snapshot.close.bind(snapshot);
      snapshot.close = () => (closed++, close());
      return snapshot;
    };
    app = createApp(store, { logger });
    const cut = await exchangeUntilClosed(listener.port, request);
    assert.match(cut, /^HTTP\/1\.1 200 /);
    assert(cut.length > 1_000_000 && !cut.includes("wal/ACTIVE"));
    assert.doesNotMatch(cut.slice(-100), /\r\n0\r\n\r\n$/);
    await until("the snapshot is closed", () => closed === 1);
    assert.equal(logger.troubles.length, code === "Closed" ? 0 : 1);
    if (code !== "Closed") assert.match(logger.troubles[0]!, /^A backup was cut off/);
    await listener.close(1000);
  }
});
