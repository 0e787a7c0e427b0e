import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { CAIRN, cairn, cairnFails, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`serve: ${signal} ends it with exit code 0 and everything stored`, async () => {
    using directory = new TemporaryDirectory();
    const db = directory.join("store");
    await using server = await startServer(db, [
      "--durability",
      "batch",
      "--batch-millis",
      "60000",
    ]);
    const put = await fetch(`${server.url}/v1/kv/a`, { method: "PUT", body: "1" });
    assert.equal(put.status, 201);
    const { exitCode, text } = await server.stop(signal);
    assert.equal(exitCode, 0);
    assert.equal(text, `Cairn serves ${db} on ${server.announced}\n`);
    assert.equal((await cairn(["get", "a", "--db", db])).text, "1");
  });
}

test("serve: with --json, it says on one line of JSON where it listens", async () => {
  using directory = new TemporaryDirectory();
  const args = ["serve", "--db", directory.path, "--http", "127.0.0.1:0", "--json"];
  for (const tcp of [["--no-tcp"], ["--tcp", "127.0.0.1:0"]]) {
    const child = spawn(CAIRN, [...args, ...tcp], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = once(child, "exit");
    const said = JSON.parse(String((await once(child.stdout, "data"))[0]));
    const { ok } = await fetch(`${said.http}/healthz`);
    child.kill();
    await ended;
    assert.deepEqual([said.db, ok], [directory.path, true]);
    assert.match(String(said.tcp), tcp.length === 1 ? /^undefined$/ : /^tcp:\/\/127\.0\.0\.1:\d+$/);
  }
});

test("serve: a request under way is finished before it stops; a new one is refused", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  let response = "";
  socket.on("data", (chunk: Uint8Array) => response += new TextDecoder().decode(chunk));
  const head = `PUT /v1/kv/slow HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`;
  socket.write(`${head}Content-Length: 10\r\n\r\nfirst`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  server.signal("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await assert.rejects(fetch(`${server.url}/healthz`));
  socket.write("-half");
  await once(socket, "close");
  assert.match(response, /^HTTP\/1\.1 201 /);
  assert.equal((await server.ended()).exitCode, 0);
  assert.equal((await cairn(["get", "slow", "--db", directory.path])).text, "first-half");
});

test("serve: idle connections do not hold it up", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  await once(socket, "data");
  const started = performance.now();
  assert.equal((await server.stop()).exitCode, 0);
  assert(performance.now() - started < 3000);
  socket.destroy();
});

test("serve: a second signal ends it at once with 130", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  socket.write(
    `PUT /v1/kv/never HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 10\r\n\r\nhal`,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  server.signal("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const started = performance.now();
  const { exitCode } = await server.stop("SIGINT");
  assert.equal(exitCode, 130);
  assert(performance.now() - started < 2000);
  await cairnFails(1, ["get", "never", "--db", directory.path]);
});

test("serve: a port in use is a connection error, and the store is free again", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("one"));
  const other = directory.join("two");
  const error = await cairnFails(3, [
    "serve",
    "--db",
    other,
    "--http",
    `127.0.0.1:${server.port}`,
    "--log-level",
    "silent",
  ]);
  assert.match(error, /cannot listen on 127\.0\.0\.1:\d+: .*already in use; choose another/);
  await cairn(["set", "a", "1", "--db", other]);
});

test("serve: logs what it does to standard error, for people or programs", async () => {
  using directory = new TemporaryDirectory();
  const pretty = await startServer(directory.path, ["--log-format", "pretty"])
    .then((server) => server.stop());
  assert.match(pretty.stderr, /^\d{4}-\d\d-\d\dT[\d:.]+Z info cairn\S*: /m);
  assert(!pretty.stderr.includes("\x1b"));
  const json = await startServer(directory.path, ["--log-format", "json", "--log-level", "debug"])
    .then((server) => server.stop());
  for (const line of json.stderr.trimEnd().split("\n")) {
    const { time, level, message } = JSON.parse(line);
    assert(!Number.isNaN(Date.parse(time)) && typeof message === "string", line);
    assert(["debug", "info", "warning"].includes(level), line);
  }
  const silent = await startServer(directory.path, ["--log-level", "silent"])
    .then((server) => server.stop());
  assert.equal(silent.stderr, "");
});

test("serve: IPv6, and another loopback address", async () => {
  using directory = new TemporaryDirectory();
  for (const host of ["[::1]", "127.0.0.2", "localhost"]) {
    await using server = await startServer(directory.path, ["--http", `${host}:0`]);
    const response = await fetch(`${server.url}/healthz`);
    assert.equal(response.status, 200, host);
    await response.body?.cancel();
    assert.equal((await server.stop()).exitCode, 0);
  }
});
