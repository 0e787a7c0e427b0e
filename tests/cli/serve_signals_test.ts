/** How `cairn serve` ends, with real signals and requests under way. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { cairn, runInTerminal, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { straceProblem } from "../support/system_calls.ts";
import { spawn } from "node:child_process";

/** A PUT that has begun, and of which the last byte is still to come. */
async function beginPut(server: ServerProcess, key: string): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  const head = `PUT /v1/kv/${key} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`;
  socket.write(`${head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
  // The server has the request when it asks for the body.
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 100 /);
  socket.write("firs");
  return socket;
}

async function refused(server: ServerProcess): Promise<void> {
  while (true) {
    try {
      const response = await fetch(`${server.url}/healthz`);
      await response.body?.cancel();
    } catch {
      return;
    }
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal}: takes nothing new, finishes many requests under way, exits with 0`, async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path);
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    const sockets = await Promise.all(keys.map((key) => beginPut(server, key)));
    server.signal(signal);
    await refused(server);
    const statuses = await Promise.all(sockets.map(async (socket) => {
      socket.write("t");
      const [answer] = await once(socket, "data");
      return String(answer).slice(0, 12);
    }));
    assert.deepEqual([...new Set(statuses)], ["HTTP/1.1 201"]);
    const { exitCode, stderr } = await server.ended();
    assert.equal(exitCode, 0, stderr);
    const { text } = await cairn(["list", "--db", directory.path]);
    assert.deepEqual(text.trimEnd().split("\n"), keys.sort());
    assert.match((await cairn(["verify", "--db", directory.path])).text, /^Sound/);
  });
}

for (const [second, exitCode] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  test(`a second signal, ${second}, ends it at once with ${exitCode}`, async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path);
    const acknowledged = await fetch(`${server.url}/v1/kv/a`, { method: "PUT", body: "1" });
    assert.equal(acknowledged.status, 201);
    const stuck = await beginPut(server, "never");
    server.signal("SIGTERM");
    await refused(server);
    assert.equal((await server.stop(second)).exitCode, exitCode);
    stuck.destroy();
    assert.equal((await cairn(["list", "--db", directory.path])).text, "a\n");
  });
}

test("connections that never sent a request do not hold it up", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const idle = await Promise.all(Array.from({ length: 10 }, async (_, index) => {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {});
    if (index % 2 === 0) socket.write("GET /healthz HTTP/1.1\r\nX: ");
    return socket;
  }));
  await (await fetch(`${server.url}/healthz`)).text();
  const started = performance.now();
  assert.equal((await server.stop()).exitCode, 0);
  // Far less than the time that requests under way are given.
  assert(performance.now() - started < 8000);
  for (const socket of idle) socket.destroy();
});

test("SIGHUP: nothing to read again is no reason to stop", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  for (let round = 0; round < 5; round++) {
    server.signal("SIGHUP");
    await (await fetch(`${server.url}/healthz`)).text();
  }
  assert.equal((await server.stop()).exitCode, 0);
});

test("SIGHUP: a terminal that goes takes its server along", async () => {
  using directory = new TemporaryDirectory();
  const env = { DB: directory.join("store"), OUT: directory.join("out") };
  const script =
    '"$CAIRN" serve --db "$DB" --http 127.0.0.1:0 --no-tcp --log-level silent > "$OUT" & ' +
    'while ! grep -q serves "$OUT"; do sleep 0.05; done; kill -HUP $!; wait $!; echo "exit $?"';
  const result = await runInTerminal(script, { env });
  if (result === undefined) return; // no terminals to be had here
  assert.match(result.text, /exit 0/);
});

const FAILURES = [
  { what: "fails", calls: "fsync,fdatasync", error: "EIO", status: 503, code: "Io" },
  { what: "is full", calls: "pwrite64", error: "ENOSPC", status: 507, code: "NoSpace" },
];

for (const { what, calls, error, status, code } of FAILURES) {
  const name =
    `a disk that ${what}: writes get ${status}, reads go on, and it can still be stopped`;
  testUnless(straceProblem(), name, async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path);
    const put = async (key: string) => {
      const response = await fetch(`${server.url}/v1/kv/${key}`, { method: "PUT", body: key });
      const problem = response.status === 201 ? { code: "" } : await response.json();
      const retryAfter = response.headers.get("retry-after");
      return { status: response.status, code: problem.code, retryAfter };
    };
    assert.equal((await put("before")).status, 201);
    const inject = `inject=${calls}:error=${error}`;
    const strace = spawn("strace", [
      ...["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject],
      ...["-p", String(server.pid)],
    ], { stdio: "ignore" });
    while (!/^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${server.pid}/status`, "utf8"))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // Strace takes hold of one thread after the other.
    let failed = await put("x0");
    for (let round = 1; failed.status === 201; round++) failed = await put(`x${round}`);
    const expected = { status, code, retryAfter: status === 503 ? "5" : null };
    assert.deepEqual(failed, expected);
    strace.kill("SIGTERM");
    await once(strace, "close");
    // The disk is well again, but nobody knows what of the failed write is on it.
    assert.deepEqual(await put("after"), expected);
    const read = await fetch(`${server.url}/v1/kv/before`);
    assert.deepEqual([read.status, await read.text()], [200, "before"]);
    assert.equal((await fetch(`${server.url}/v1/kv/after`)).status, 404);
    const statusOf = async (method: string, path: string, body?: string) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(server.url + path, { method, headers, body: body ?? null });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await statusOf("DELETE", "/v1/kv/before"), status);
    const ops = JSON.stringify({ ops: [{ op: "set", key: "after", value: "x" }] });
    assert.equal(await statusOf("POST", "/v1/batch", ops), status);
    assert.equal(await statusOf("POST", "/v1/flush"), status);
    assert.equal(await statusOf("POST", "/v1/compact"), status);
    assert.deepEqual([await statusOf("GET", "/readyz"), await statusOf("GET", "/healthz")], [
      503,
      200,
    ]);
    const { exitCode, stderr } = await server.stop();
    assert.equal(exitCode, 6, stderr);
    assert.match((await cairn(["get", "before", "--db", directory.path])).text, /^before/);
  });
}
