/** The TCP service of the executable, by netcat. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { parseExposition, valueOf } from "../server/prometheus_text.ts";
import { netcat, RawClient } from "../tcp/raw_client.ts";
import { cairn, cairnFails, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { makeCertificate, opensslMissing } from "../support/certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const FULL = "0123456789abcdef0123456789abcdef";
const OTHER = "fedcba9876543210fedcba9876543210";

test("serve: the text protocol, beside HTTP on the same store, and counted", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const text = await netcat(
    server.tcpPort,
    "SET a 6\nb\0\n\xff\r\nGET a\nGET b\nSET c 0\nDEL a\nDEL a\nwhat\n",
  );
  assert.equal(
    text.replace(/(ERR BadCommand) .*\n/, "$1\n"),
    "OK\nVALUE 6\nb\0\n\xff\r\nNOT_FOUND\nOK\nOK\nNOT_FOUND\nERR BadCommand\n",
  );
  const response = await fetch(`${server.url}/v1/kv/c`);
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  const metrics = parseExposition(await (await fetch(`${server.url}/metrics`)).text());
  const count = (command: string, result: string) =>
    valueOf(metrics, "cairn_tcp_commands_total", { protocol: "text", command, result });
  assert.deepEqual([count("set", "ok"), count("get", "ok"), count("get", "not_found")], [2, 1, 1]);
  assert.deepEqual([count("del", "ok"), count("del", "not_found"), count("other", "error")], [
    1,
    1,
    1,
  ]);
  assert.equal(valueOf(metrics, "cairn_tcp_sent_bytes_total"), text.length);
  assert.equal(valueOf(metrics, "cairn_tcp_connections_open"), 0);
  assert.equal((await server.stop()).exitCode, 0);
});

test("serve: CONFIG GET tells clients of Redis when writes are durable", async () => {
  using directory = new TemporaryDirectory();
  for (const [policy, expected] of [["immediate", "always"], ["batch", "everysec"]]) {
    await using server = await startServer(directory.path, ["--durability", policy!]);
    const asked = "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$11\r\nappendfsync\r\n";
    assert(
      (await netcat(server.tcpPort, asked)).endsWith(`\r\n${expected}\r\n`),
      policy,
    );
    await server.stop();
  }
});

test("serve: who speaks HTTP to the TCP port gets nothing", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const request = "POST /SET HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET a 1\nx";
  assert.equal(await netcat(server.tcpPort, request), "");
  await server.stop();
  await cairnFails(1, ["get", "a", "--db", directory.path]);
});

test("serve: --no-tcp, and a port that is taken", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("one"), ["--no-tcp"]);
  assert.equal(server.tcpPort, 0);
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const serve = ["serve", "--db", directory.join("two"), "--http", "127.0.0.1:0"];
  const error = await cairnFails(3, [
    ...[...serve, "--tcp", `127.0.0.1:${port}`, "--log-level", "silent"],
  ]);
  assert.match(error, /cannot listen on 127\.0\.0\.1:\d+: .* in use; choose another with --tcp/);
  taken.close();
  await cairn(["set", "a", "1", "--db", directory.join("two")]);
  assert.match(
    await cairnFails(2, [...serve, "--tcp", "0.0.0.0:0"]),
    /0\.0\.0\.0:0 can be reached/,
  );
});

test("serve: SIGTERM answers what is under way, and ends with 0", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const clients = await Promise.all(
    Array.from({ length: 10 }, () => RawClient.connect(server.tcpPort)),
  );
  // Pipelines that go on and on, until the server says that it is enough.
  clients.forEach((client, number) => {
    let sequence = 0;
    const send = () => {
      if (client.isClosed || client.socket.writableEnded) return;
      for (let count = 0; count < 50; count++) client.send(`SET key-${number}-${sequence++} 1\nx`);
      setTimeout(send, 1);
    };
    send();
  });
  await Promise.all(clients.map((client) => client.until((text) => text.length > 1000)));
  const { exitCode } = await server.stop();
  assert.equal(exitCode, 0);
  const texts = await Promise.all(clients.map((client) => client.closed()));
  const listed = (await cairn(["list", "--db", directory.path])).text.split("\n");
  const keys = new Set(listed);
  texts.forEach((text, number) => {
    assert.match(text, /^(?:OK\n)+$/);
    for (let sequence = 0; sequence < text.length / 3; sequence++) {
      assert(keys.has(`key-${number}-${sequence}`), `key-${number}-${sequence}`);
    }
  });
  for (const client of clients) client[Symbol.dispose]();
});

test("serve: tokens, and others at SIGHUP", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.join("token");
  writeFileSync(file, FULL, { mode: 0o600 });
  await using server = await startServer(directory.join("store"), ["--token-file", file]);
  const ask = (token: string) => netcat(server.tcpPort, `AUTH ${token}\nGET a\n`);
  assert.match(await netcat(server.tcpPort, "GET a\n"), /^ERR Unauthorized .*\n$/);
  assert.equal(await ask(FULL), "OK\nNOT_FOUND\n");
  writeFileSync(file, OTHER);
  server.signal("SIGHUP");
  while (await ask(OTHER) !== "OK\nNOT_FOUND\n") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.match(await ask(FULL), /^ERR (?:Unauthorized|TooManyRequests) /);
  const { stderr } = await server.stop();
  assert(!stderr.includes(FULL) && !stderr.includes(OTHER));
});

/** The certificate's name, and what is answered. */
async function askSecurely(server: ServerProcess, input: string, length: number) {
  const socket = connectTls({ host: "127.0.0.1", port: server.tcpPort, rejectUnauthorized: false });
  using client = new RawClient(socket);
  await once(socket, "secureConnect");
  const subject = String(socket.getPeerCertificate().subject.CN);
  client.send(input);
  return [subject, await client.until((text) => text.length >= length)];
}

testUnless(opensslMissing, "serve: TLS, and another certificate at SIGHUP", async () => {
  using directory = new TemporaryDirectory();
  const one = makeCertificate(directory, "one");
  const two = makeCertificate(directory, "two");
  const flags = ["--tls-cert", one.cert, "--tls-key", one.key];
  await using server = await startServer(directory.join("store"), flags);
  const ask = () => askSecurely(server, "GET a\n", 10);
  assert.match(server.announced, / and tls:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(await ask(), ["one", "NOT_FOUND\n"]);
  assert.doesNotMatch(await netcat(server.tcpPort, "GET a\n"), /NOT_FOUND/);
  writeFileSync(one.cert, readFileSync(two.cert));
  writeFileSync(one.key, readFileSync(two.key));
  server.signal("SIGHUP");
  while (true) {
    const renewed = await ask().catch(() => []); // refused in the moment between the two
    if (renewed[0] === "two") break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(await ask(), ["two", "NOT_FOUND\n"]);
});
