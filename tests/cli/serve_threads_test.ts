/** `cairn serve --threads N`, of the executable. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { netcat, RawClient } from "../tcp/raw_client.ts";
import { checkThreads } from "../../lib/cli/threads/serve_threads.ts";
import { parseExposition, valueOf } from "../server/prometheus_text.ts";
import { cairn, cairnFails, rawExchange, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const CLIENTS = 12;
const unsupported = process.platform === "linux"
  ? undefined
  : "several threads cannot listen on one port here";

test("serve: --threads takes a number from 1 to 64", async () => {
  for (const wrong of ["0", "65", "x", "1.5", "-1", ""]) {
    assert.match(
      await cairnFails(2, ["serve", "--threads", wrong]),
      /'--threads <n>'.* Give a whole number from 1 to 64/,
    );
  }
});

test("serve: --threads says where several threads cannot listen on one port", () => {
  checkThreads(1);
  const check = () => checkThreads(2);
  if ("Bun" in globalThis && process.platform === "linux") check();
  else assert.throws(check, /^CliError: --threads 2 needs (?:Linux|the executable), /);
});

/** Clients that the kernel has spread over the threads: all on one, once in 2048 times. */
function connect(port: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () => RawClient.connect(port)));
}

testUnless(
  unsupported,
  "serve: every client sees its own writes, and those of all others",
  async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.path, ["--threads", "2"]);
    const clients = await connect(server.tcpPort);
    for (let round = 0; round < 20; round++) {
      await Promise.all(clients.map(async (client, number) => {
        const value = `${number}-${round}`.padEnd(8);
        const key = `key-${number}`;
        const answer = `VALUE 8\n${value}`;
        assert.equal(
          await client.ask(
            `SET ${key} 8\n${value}GET ${key}\nGET ${key}\n`,
            `OK\n${answer}${answer}`,
          ),
          `OK\n${answer}${answer}`,
        );
      }));
      // All of it is acknowledged: so it is there for whoever asks.
      await Promise.all(clients.map(async (client, number) => {
        const other = (number + round) % CLIENTS;
        const answer = `VALUE 8\n${`${other}-${round}`.padEnd(8)}`;
        assert.equal(await client.ask(`GET key-${other}\n`, answer), answer);
        const response = await rawExchange(
          server.port,
          `GET /v1/kv/key-${other} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`,
        );
        assert(response.endsWith(`\r\n\r\n${`${other}-${round}`.padEnd(8)}`), response);
      }));
    }
    for (const client of clients) client[Symbol.dispose]();
    assert.equal((await server.stop()).exitCode, 0);
  },
);

testUnless(unsupported, "serve: one scrape has the figures of all threads", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path, ["--threads", "3"]);
  const clients = await connect(server.tcpPort);
  for (const [number, client] of clients.entries()) {
    await client.ask(`SET a 1\n${number % 10}`, "OK\n");
    for (let count = 0; count < 5; count++) {
      await client.ask("GET a\nGET b\n", "VALUE 1\n1NOT_FOUND\n");
    }
  }
  for (let count = 0; count < CLIENTS; count++) {
    await rawExchange(
      server.port,
      `GET /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`,
    );
  }
  const families = parseExposition(await (await fetch(`${server.url}/metrics`)).text());
  const commands = (command: string, result: string) =>
    valueOf(families, "cairn_tcp_commands_total", { protocol: "text", command, result });
  assert.deepEqual(
    [commands("set", "ok"), commands("get", "ok"), commands("get", "not_found")],
    [CLIENTS, 5 * CLIENTS, 5 * CLIENTS],
  );
  assert.equal(valueOf(families, "cairn_tcp_connections_open"), CLIENTS);
  const sent = clients.reduce((sum, { text }) => sum + text.length, 0);
  assert.equal(valueOf(families, "cairn_tcp_sent_bytes_total"), sent);
  const operations = (result: string) =>
    valueOf(families, "cairn_operations_total", { operation: "get", result });
  assert.deepEqual([operations("ok"), operations("not_found")], [6 * CLIENTS, 5 * CLIENTS]);
  assert.equal(
    valueOf(families, "cairn_http_request_duration_seconds_count", {
      method: "GET",
      route: "/v1/kv/{key}",
      status: "2xx",
    }),
    CLIENTS,
  );
  for (const client of clients) client[Symbol.dispose]();
});

testUnless(unsupported, "serve: SIGTERM answers what is under way on all threads", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path, ["--threads", "2"]);
  const clients = await connect(server.tcpPort);
  clients.forEach((client, number) => {
    let sequence = 0;
    const send = () => {
      if (client.isClosed || client.socket.writableEnded) return;
      for (let count = 0; count < 50; count++) client.send(`SET key-${number}-${sequence++} 1\nx`);
      setTimeout(send, 1);
    };
    send();
  });
  await Promise.all(clients.map((client) => client.until((text) => text.length > 600)));
  assert.equal((await server.stop()).exitCode, 0);
  const texts = await Promise.all(clients.map((client) => client.closed()));
  const keys = new Set((await cairn(["list", "--db", directory.path])).text.split("\n"));
  texts.forEach((text, number) => {
    assert.match(text, /^(?:OK\n)+$/);
    for (let sequence = 0; sequence < text.length / 3; sequence++) {
      assert(keys.has(`key-${number}-${sequence}`), `key-${number}-${sequence}`);
    }
  });
  for (const client of clients) client[Symbol.dispose]();
});

testUnless(
  unsupported,
  "serve: a port that another server shares among its threads is taken",
  async () => {
    using directory = new TemporaryDirectory();
    await using server = await startServer(directory.join("one"), ["--threads", "2"]);
    const other = [
      "serve",
      "--db",
      directory.join("two"),
      "--log-level",
      "silent",
      "--threads",
      "2",
    ];
    assert.match(
      await cairnFails(3, [...other, "--http", `127.0.0.1:${server.port}`, "--no-tcp"]),
      /in use; choose another with --http/,
    );
    assert.match(
      await cairnFails(3, [
        ...other,
        "--http",
        "127.0.0.1:0",
        "--tcp",
        `127.0.0.1:${server.tcpPort}`,
      ]),
      /in use; choose another with --tcp/,
    );
    assert.equal(await netcat(server.tcpPort, "GET a\n"), "NOT_FOUND\n");
  },
);
