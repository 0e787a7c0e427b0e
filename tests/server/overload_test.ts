/** More than the executable can take: it refuses at once, keeps its size, and recovers. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { CAIRN, rawExchange, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const MIB = 1 << 20;
const noProc = process.platform === "linux" ? undefined : "no /proc here";

async function open(server: ServerProcess, text = ""): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  await Promise.race([once(socket, "connect"), new Promise((done) => socket.on("close", done))]);
  if (text !== "") socket.write(text);
  return socket;
}

function put(server: ServerProcess, length: number, key = "big"): string {
  return `PUT /v1/kv/${key} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
    `Content-Length: ${length}\r\n\r\n`;
}

async function statusOf(server: ServerProcess, path = "/healthz"): Promise<number | undefined> {
  try {
    const response = await fetch(server.url + path);
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function residentMiB(server: ServerProcess): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024;
}

test("overload: bodies beyond 256 MiB in all get 503 at once, and later ones are taken", {
  timeout: 120_000,
}, async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const before = residentMiB(server);
  const holders = await Promise.all(
    Array.from({ length: 4 }, () => open(server, put(server, 64 * MIB))),
  );
  const refused = () => rawExchange(server.port, put(server, 64 * MIB));
  let answer = "";
  await until(async () => (answer = await Promise.race([refused(), later()])) !== "");
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.match(answer, /retry-after: 1\r\n/i);
  assert.match(answer, /"code":"Overloaded"/);
  // What is small is served all the same.
  assert.equal(await statusOf(server), 200);
  const small = await fetch(`${server.url}/v1/kv/small`, { method: "PUT", body: "x" });
  assert.equal(small.status, 201);
  // Nobody sent anything, so next to nothing is in memory.
  if (noProc === undefined) assert(residentMiB(server) - before < 100);
  for (const holder of holders) holder.destroy();
  const body = new Uint8Array(MIB);
  await until(async () => {
    const response = await fetch(`${server.url}/v1/kv/one`, { method: "PUT", body });
    await response.body?.cancel();
    return response.status < 300;
  });
});

async function later(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return "";
}

test("overload: beyond 1024 requests under way, others get 503 with Retry-After", {
  timeout: 120_000,
}, async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const waiting = await Promise.all(
    Array.from({ length: 1024 }, () => open(server, put(server, 5))),
  );
  let response: Response;
  do {
    response = await fetch(`${server.url}/v1/kv/a`);
    await response.body?.cancel();
  } while (response.status === 404);
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
  for (const socket of waiting) socket.destroy();
  await until(async () => await statusOf(server, "/v1/kv/a") === 404);
});

testUnless(noProc, "overload: a gigabyte of uploads at once is not held at once", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const chunk = new Uint8Array(4 * MIB);
  const upload = async (index: number): Promise<string> => {
    const socket = await open(server, put(server, 16 * MIB, `key-${index % 4}`));
    const answer = new Promise<string>((resolve) => {
      socket.once("data", (data: Uint8Array) => resolve(new TextDecoder().decode(data)));
      socket.once("close", () => resolve(""));
    });
    for (let part = 0; part < 4 && !socket.destroyed; part++) socket.write(chunk);
    const status = (await answer).slice(9, 12);
    socket.destroy();
    return status;
  };
  let mostMiB = 0;
  const watch = setInterval(() => mostMiB = Math.max(mostMiB, residentMiB(server)), 20);
  const statuses = await Promise.all(Array.from({ length: 64 }, (_, index) => upload(index)));
  clearInterval(watch);
  const counts = (status: string) => statuses.filter((each) => each === status).length;
  // Whose connection was closed while it was still sending may have heard nothing.
  assert.equal(counts("201") + counts("204") + counts("503") + counts(""), 64, String(statuses));
  assert(counts("201") + counts("204") > 0 && counts("503") + counts("") > 0, String(statuses));
  assert(mostMiB < 1500, `${mostMiB} MiB`);
  assert.equal(await statusOf(server), 200);
});

const LISTED = "/v1/kv?values=1";
for (
  const [what, path, accept, residentMaxMiB] of [
    ["a value", "/v1/kv/big", "*/*", 1000],
    // Of what is listed there is a copy as text, too.
    ["a page", LISTED, "application/json", 1500],
    ["a stream", LISTED, "application/x-ndjson", 1500],
  ] as const
) {
  const title = `overload: readers who take nothing of ${what} do not hold all they asked for`;
  testUnless(noProc, title, async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path);
    const body = new Uint8Array(16 * MIB).fill(255);
    const { status } = await fetch(`${server.url}/v1/kv/big`, { method: "PUT", body });
    assert.equal(status, 201);
    const get = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
      `Accept: ${accept}\r\n\r\n`;
    const sockets: Socket[] = [];
    const statuses: string[] = [];
    for (let index = 0; index < 100; index++) {
      const socket = await open(server);
      // Bun sends the status line of a long answer in pieces.
      let beginning = "";
      socket.on("data", (data: Uint8Array) => {
        if (beginning.length >= 12) return;
        beginning += new TextDecoder("latin1").decode(data.subarray(0, 12));
        if (beginning.length < 12) return;
        statuses.push(beginning.slice(9, 12));
        socket.pause();
      });
      socket.write(get);
      sockets.push(socket);
    }
    let mostMiB = 0;
    await until(() => {
      mostMiB = Math.max(mostMiB, residentMiB(server));
      return Promise.resolve(statuses.length === sockets.length);
    });
    assert.deepEqual([...new Set(statuses)].sort(), ["200", "503"]);
    // 1600 MiB were asked for; 256 are held, and about as much again while they are made.
    assert(mostMiB < residentMaxMiB, `${mostMiB} MiB`);
    for (const socket of sockets) socket.destroy();
    await until(async () => await statusOf(server, path) === 200);
  });
}

testUnless(noProc, "overload: out of descriptors it neither spins nor gives up", async () => {
  using directory = new TemporaryDirectory();
  const wrapper = directory.join("cairn");
  writeFileSync(wrapper, `#!/bin/sh\nulimit -n 64\nexec "${CAIRN}" "$@"\n`, { mode: 0o700 });
  await using server = await startServer(directory.join("store"), [], {}, wrapper);
  const get = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`;
  const sockets: Socket[] = [];
  // Half of them idle after a request, half that never send one.
  for (let index = 0; index < 150; index++) {
    sockets.push(await open(server, index % 2 === 0 ? get : ""));
  }
  const cpuMs = () => {
    const fields = readFileSync(`/proc/${server.pid}/stat`, "latin1").split(" ");
    return 10 * (Number(fields[13]) + Number(fields[14]));
  };
  const before = cpuMs();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const used = cpuMs() - before;
  assert(used < 500, `${used} ms of one second`);
  for (const socket of sockets) socket.destroy();
  await until(async () => await statusOf(server) === 200);
  const response = await fetch(`${server.url}/v1/kv/a`, { method: "PUT", body: "x" });
  assert.equal(response.status, 201);
  const { stderr, exitCode } = await server.stop();
  assert.equal(exitCode, 0);
  assert.match(stderr, /Too many connections: closing idle ones/);
});
