/** The server on real sockets: of Bun under Bun, of node:net under Deno. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { KvStore } from "../../lib/mod.ts";
import {
  createTcpServer,
  type TcpServer,
  type TcpServerOptions,
} from "../../lib/server/tcp/mod.ts";
import { makeCertificate, opensslMissing } from "../support/certificate.ts";
import { openInMemory, pattern } from "../support/test_store.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { latin1 } from "./fed_parser.ts";
import { netcat, RawClient } from "./raw_client.ts";
import { command, stubSessions } from "./stub_session.ts";

const TIMEOUT_MS = 120_000;

/** A server with a store of its own. */
class Served implements AsyncDisposable {
  store!: KvStore;
  server!: TcpServer;
  port = 0;

  static async start(options: TcpServerOptions = {}, tls?: { cert: string; key: string }) {
    const served = new Served();
    served.store = await openInMemory();
    served.server = createTcpServer(served.store, options);
    const where = { port: 0, ...(tls !== undefined && { tls }) };
    served.port = (await served.server.listen(where)).port;
    return served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close(1000);
    await this.store.close();
  }
}

test(
  "socket: text and RESP on one port, as netcat speaks them",
  { timeout: TIMEOUT_MS },
  async () => {
    await using served = await Served.start({ createSession: stubSessions() });
    const { port } = served;
    assert.equal(
      await netcat(port, "SET a 5\nhello\nGET a\nDEL a\nDEL a\nnonsense\n").then((text) =>
        text.replace(/ERR BadCommand .*\n/, "ERR\n")
      ),
      "OK\nVALUE 5\nhelloOK\nNOT_FOUND\nERR\n",
    );
    assert.equal(
      await netcat(port, `${command("ECHO", "x")}GET a\n`),
      "$6\r\nECHO x\r\nNOT_FOUND\n",
    );
    assert.equal(await netcat(port, ""), "");
  },
);

test("socket: long values there and back", { timeout: TIMEOUT_MS }, async () => {
  await using served = await Served.start();
  const value = pattern(20_000_000, 1);
  using client = await RawClient.connect(served.port);
  client.send(`SET long ${value.length}\n`);
  client.send(value);
  await client.until((text) => text === "OK\n");
  client.text = "";
  const head = `VALUE ${value.length}\n`;
  const answer = await client.ask("GET long\n", head + " ".repeat(value.length));
  assert(answer === head + latin1(value), "the value came back");
});

test("socket: a thousand connections at once, each served", { timeout: TIMEOUT_MS }, async () => {
  await using served = await Served.start();
  const clients: RawClient[] = [];
  try {
    for (let group = 0; group < 10; group++) {
      const hundred = Array.from({ length: 100 }, () => RawClient.connect(served.port));
      clients.push(...await Promise.all(hundred));
    }
    const answers = await Promise.all(
      clients.map((client, index) =>
        client.ask(`SET key-${index} 4\n${1000 + index}GET key-${index}\n`, "OK\nVALUE 4\n1000")
      ),
    );
    answers.forEach((answer, index) => assert.equal(answer, `OK\nVALUE 4\n${1000 + index}`));
    assert.equal(served.server.connectionsOpen, 1000);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

test(
  "socket: beyond the maximum of clients, an error and the end",
  { timeout: TIMEOUT_MS },
  async () => {
    await using served = await Served.start({ limits: { clientsMax: 2 } });
    using first = await RawClient.connect(served.port);
    using second = await RawClient.connect(served.port);
    for (const client of [first, second]) {
      assert.equal(
        await client.ask("GET a\n", "NOT_FOUND\n"),
        "NOT_FOUND\n",
      );
    }
    using third = await RawClient.connect(served.port);
    assert.equal(await third.closed(), "-ERR max number of clients reached\r\n");
    first.socket.destroy();
    while (served.server.connectionsOpen === 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    using fourth = await RawClient.connect(served.port);
    assert.equal(await fourth.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
  },
);

test(
  "socket: a reader that takes nothing holds little, and is cut off",
  { timeout: TIMEOUT_MS },
  async () => {
    await using served = await Served.start({ limits: { stallMs: 500 } });
    await served.store.set("long", new Uint8Array(8 << 20));
    using slow = await RawClient.connect(served.port);
    slow.socket.pause();
    // All of it would be 8 GB.
    slow.send("GET long\n".repeat(1000));
    using other = await RawClient.connect(served.port);
    assert.equal(await other.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
    while (served.server.connectionsOpen > 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await other.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
  },
);

test("socket: without a byte it is closed", { timeout: TIMEOUT_MS }, async () => {
  await using served = await Served.start({ limits: { firstCommandMs: 200 } });
  using client = await RawClient.connect(served.port);
  assert.equal(await client.closed(), "");
});

test(
  "socket: the last reply arrives though the client keeps sending",
  { timeout: TIMEOUT_MS },
  async () => {
    await using served = await Served.start();
    for (let round = 0; round < 20; round++) {
      using client = await RawClient.connect(served.port);
      client.send("SET x\n");
      client.send(new Uint8Array(1 << 20).fill(120));
      await client.until((text) => text.endsWith("\n"));
      assert.match(client.text, /^ERR BadCommand SET .*\n$/);
    }
  },
);

test("socket: an address in use is an error at once", { timeout: TIMEOUT_MS }, async () => {
  await using served = await Served.start();
  const other = createTcpServer(served.store);
  await assert.rejects(other.listen({ port: served.port }), { code: "EADDRINUSE" });
  await assert.rejects(served.server.listen({ port: 0 }), { code: "InvalidArgument" });
});

test(
  "socket: close() answers what is under way, and takes nothing more",
  { timeout: TIMEOUT_MS },
  async () => {
    await using store = await openInMemory();
    const server = createTcpServer(store);
    const { port } = await server.listen({ port: 0 });
    using client = await RawClient.connect(port);
    using idle = await RawClient.connect(port);
    assert.equal(await idle.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
    client.send("SET a 1\nx");
    while (store.stats().version === 0 && store.stats().writesInFlight === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.close();
    assert.equal(await client.closed(), "OK\n");
    assert.equal(await idle.closed(), "NOT_FOUND\n");
    assert.equal(server.connectionsOpen, 0);
    await assert.rejects(
      RawClient.connect(port).then(async (late) => {
        await late.closed();
        throw new Error("refused");
      }),
    );
  },
);

/** A connection over TLS. */
async function secure(port: number, options: ConnectionOptions = {}) {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  const client = new RawClient(socket);
  await once(socket, "secureConnect");
  return { client, subject: String(socket.getPeerCertificate().subject.CN) };
}

testUnless(opensslMissing, "socket: TLS, there and back, and another certificate", async () => {
  using directory = new TemporaryDirectory();
  const files = (name: string) => {
    const { cert, key } = makeCertificate(directory, name);
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  };
  await using served = await Served.start({}, files("one"));
  const { client, subject } = await secure(served.port);
  using _client = client;
  assert.equal(subject, "one");
  const value = pattern(3_000_000, 2);
  client.send(`SET long ${value.length}\n`);
  client.send(value);
  await client.until((text) => text === "OK\n");
  const head = `VALUE ${value.length}\n`;
  const answer = await client.ask("GET long\n", head + " ".repeat(value.length));
  assert(answer === head + latin1(value), "the value came back");

  const { client: wrong } = await secure(served.port);
  wrong.send("GET a\nSET x\n");
  assert.match(await wrong.closed(), /^NOT_FOUND\nERR BadCommand SET .*\n$/);

  // Whoever speaks no TLS gets nothing, and nobody else suffers.
  for (const rubbish of ["GET long\n", "\0".repeat(50), "GET / HTTP/1.1\r\n\r\n"]) {
    assert.doesNotMatch(await netcat(served.port, rubbish), /VALUE|ERR/);
  }
  assert.throws(() => served.server.renew({ cert: "x", key: "y" }));
  assert.equal(await client.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
  if ("Deno" in globalThis) return; // it keeps its certificate, and says so
  served.server.renew(files("two"));
  const renewed = await secure(served.port);
  assert.equal(renewed.subject, "two");
  assert.equal(await renewed.client.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
  assert.equal(await client.ask("GET a\n", "NOT_FOUND\n"), "NOT_FOUND\n");
  renewed.client[Symbol.dispose]();
});
