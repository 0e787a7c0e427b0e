/** Change feeds and backups of the executable: disconnects, slow readers, limits, and stopping. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { KvStore } from "../../lib/mod.ts";
import { cairn, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { FeedReader } from "./feed_reader.ts";
import { parseExposition, valueOf } from "./prometheus_text.ts";

const GROWN_MAX = 400_000_000;
const NDJSON = "application/x-ndjson";
const noTar = spawnSync("tar", ["--version"]).error === undefined ? undefined : "there is no tar";
const notLinux = process.platform === "linux" ? undefined : "memory is read from /proc";

async function feedsOpen(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return valueOf(parseExposition(text), "cairn_change_feeds_open");
}

async function untilOpen(server: ServerProcess, count: number): Promise<void> {
  while (await feedsOpen(server) !== count) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A GET on a socket of its own, of which nothing but the beginning is read. */
async function request(server: ServerProcess, path: string, accept = "*/*"): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`;
  socket.write(`${head}Accept: ${accept}\r\n\r\n`);
  const [beginning] = await once(socket, "data");
  assert.match(String(beginning), /^HTTP\/1\.1 200 /);
  socket.pause();
  return socket;
}

async function put(server: ServerProcess, key: string, body: BodyInit): Promise<void> {
  const { ok } = await fetch(`${server.url}/v1/kv/${key}`, { method: "PUT", body });
  assert(ok);
}

/** Until the server sends no more to readers who do not read, since what lies between is full. */
async function untilQuiet(server: ServerProcess): Promise<void> {
  let sent = 0;
  for (let before = -Infinity; sent - before > 100_000;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    const text = await (await fetch(`${server.url}/metrics`)).text();
    sent = valueOf(parseExposition(text), "cairn_http_response_bytes_total");
  }
  assert(sent > 100_000);
}

/** Values of 100 kB: far more than lies in buffers on the way to a client. */
async function fill(path: string, count: number): Promise<void> {
  await using store = await KvStore.open(path, { durability: { bytes: 1 << 30, millis: 60_000 } });
  const value = new Uint8Array(100_000).fill(97);
  for (let i = 0; i < count; i++) store.setSync(`${i}`, value);
}

function residentBytes({ pid }: ServerProcess): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return Number(kib) * 1024;
}

test("wire: changes come as they are written; a client that comes back goes on where it was", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const url = `${server.url}/v1/changes?values=1`;
  const first = FeedReader.events(await fetch(url));
  assert.deepEqual(await first.event(), { retry: 1000, id: 0 });
  await put(server, "a", "1");
  const { id, data } = await first.event();
  assert.deepEqual([id, data], [1, { version: 1, op: "set", key: "a", value: "1" }]);
  await first.leave();
  await put(server, "b", "2");
  await fetch(`${server.url}/v1/kv/a`, { method: "DELETE" });
  const again = FeedReader.events(await fetch(url, { headers: { "last-event-id": `${id}` } }));
  for (const expected of [1, 2, 3]) assert.equal((await again.event()).id, expected);
  await again.leave();
  await untilOpen(server, 0);
});

test("wire: deletes are kept for those who come back, unless --retain-changes says otherwise", async () => {
  for (const [args, status] of [[[], 200], [["--retain-changes", "0"], 410]] as const) {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path, [...args]);
    await put(server, "a", "1");
    await fetch(`${server.url}/v1/kv/a`, { method: "DELETE" });
    await put(server, "b", "1");
    await fetch(`${server.url}/v1/compact`, { method: "POST" });
    const response = await fetch(`${server.url}/v1/changes?since=0&wait=0`);
    assert.equal(response.status, status);
    const { changes, code } = await response.json();
    if (status === 410) assert.equal(code, "Compacted");
    else assert.deepEqual(changes.map(({ op }: { op: string }) => op), ["del", "set"]);
  }
});

test("wire: clients that go away end their feeds, idle or behind, and their polls", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, 300);
  await using server = await startServer(directory.path);
  const sockets = [];
  for (const query of ["", "?since=0&values=1", "?prefix=none"]) {
    sockets.push(await request(server, `/v1/changes${query}`));
  }
  const poll = connect(server.port, "127.0.0.1");
  poll.write(`GET /v1/changes?wait=50 HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  await untilOpen(server, 4);
  for (const socket of [...sockets, poll]) socket.destroy();
  await untilOpen(server, 0);
  const { exitCode, stderr } = await server.stop();
  assert.equal(exitCode, 0);
  assert.doesNotMatch(stderr, /error|cut off/);
});

test("wire: SIGTERM ends feeds at once, also of readers who read nothing", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, 300);
  await using server = await startServer(directory.path);
  const stalled = await request(server, "/v1/changes?since=0&values=1");
  await untilQuiet(server);
  const followers = [];
  for (let i = 0; i < 20; i++) {
    const follower = FeedReader.events(await fetch(`${server.url}/v1/changes`));
    await follower.event();
    followers.push(follower.next());
  }
  const poll = fetch(`${server.url}/v1/changes?wait=50`);
  await untilOpen(server, 22);
  const begin = performance.now();
  server.signal("SIGTERM");
  for (const follower of followers) assert.equal(await follower, undefined);
  assert.deepEqual(await (await poll).json(), { changes: [], version: 300 });
  const { exitCode, stderr } = await server.ended();
  assert.equal(exitCode, 0, stderr);
  // The ten seconds of grace are for requests that come to an end.
  assert(performance.now() - begin < 9000);
  stalled.destroy();
});

test("wire: as many feeds as there may be leave room for other requests", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const sockets = await Promise.all(
    Array.from({ length: 1000 }, () => request(server, "/v1/changes")),
  );
  const refused = await fetch(`${server.url}/v1/changes`);
  assert.equal(refused.status, 503);
  assert(Number(refused.headers.get("retry-after")) > 0);
  await refused.body?.cancel();
  const puts = Array.from({ length: 100 }, (_, i) => put(server, `key ${i}`, "1"));
  await Promise.all(puts);
  for (const socket of sockets) socket.destroy();
  await untilOpen(server, 0);
  const reader = FeedReader.events(await fetch(`${server.url}/v1/changes?since=99`));
  assert.deepEqual([(await reader.event()).id, (await reader.event()).id], [99, 100]);
  await reader.leave();
});

testUnless(
  notLinux,
  "wire: readers who stop in a long listing, feed or backup cost little memory",
  async () => {
    using directory = new TemporaryDirectory();
    await fill(directory.path, 2000);
    await using server = await startServer(directory.path);
    await (await fetch(`${server.url}/v1/stats`)).text();
    const before = residentBytes(server);
    const paths = Array.from({ length: 30 }, () => "/v1/changes?since=0&values=1");
    paths.push("/v1/backup", "/v1/backup", "/v1/backup");
    const sockets = await Promise.all([
      ...paths.map((path) => request(server, path)),
      ...Array.from({ length: 30 }, () => request(server, "/v1/kv?values=1", NDJSON)),
    ]);
    // Until nothing more comes into memory, of whatever is read ahead.
    let grown = 0;
    for (let calm = 0; calm < 20 && grown < GROWN_MAX; calm++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const now = residentBytes(server) - before;
      if (now > grown + 1_000_000) calm = 0;
      grown = Math.max(grown, now);
    }
    for (const socket of sockets) socket.destroy();
    // All of it would be 63 times 200 MB.
    assert(grown < GROWN_MAX, `${grown} bytes more`);
    await untilOpen(server, 0);
  },
);

testUnless(
  noTar,
  "wire: a backup goes through a pipe into a store, while writes go on",
  async () => {
    using directory = new TemporaryDirectory();
    const db = directory.join("db");
    await fill(db, 300);
    await using server = await startServer(db, ["--durability", "batch"]);
    const response = await fetch(`${server.url}/v1/backup`);
    const version = Number(response.headers.get("cairn-version"));
    let isDone = false;
    const writing = (async () => {
      for (let i = 0; !isDone; i++) await put(server, `${i % 300}`, `new ${i}`);
    })();
    const tar = spawn("tar", ["x"], { cwd: directory.path, stdio: ["pipe", "ignore", "inherit"] });
    for await (const chunk of response.body!) {
      if (!tar.stdin.write(chunk)) await once(tar.stdin, "drain");
    }
    tar.stdin.end();
    const [exitCode] = await once(tar, "close");
    isDone = true;
    await writing;
    assert.deepEqual([exitCode, version], [0, 300]);
    const copy = directory.join("cairn-backup-300");
    assert.match((await cairn(["verify", "--db", copy])).text, /^Sound/);
    await using store = await KvStore.open(copy);
    assert.deepEqual([store.size, store.stats().version], [300, 300]);
    for (let i = 0; i < 300; i++) assert.equal(store.getSync(`${i}`)!.length, 100_000);
  },
);
