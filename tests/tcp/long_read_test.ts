/** Long values are read in turn, and each read sees what was there when its command came. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpService } from "./tcp_service.ts";

// More than may be read at once, so that some wait for their turn.
const CLIENTS = 40;
const LENGTH = 100_000;

interface Protocol {
  name: string;
  pipeline: (key: string) => string;
  expected: string;
}

const long = "v".repeat(LENGTH);
const PROTOCOLS: readonly Protocol[] = [
  {
    name: "text",
    pipeline: (key) => `GET ${key}\nSET ${key} 1\nxGET ${key}\nDEL ${key}\n`,
    expected: `VALUE ${LENGTH}\n${long}OK\nVALUE 1\nxOK\n`,
  },
  {
    name: "RESP",
    pipeline: (key) =>
      command("GET", key) + command("SET", key, "x") + command("GET", key) + command("DEL", key),
    expected: `$${LENGTH}\r\n${long}\r\n+OK\r\n$1\r\nx\r\n:1\r\n`,
  },
  {
    name: "RESP, several keys",
    pipeline: (key) => command("MGET", key, key) + command("SET", key, "x") + command("GET", key),
    expected: `*2\r\n${`$${LENGTH}\r\n${long}\r\n`.repeat(2)}+OK\r\n$1\r\nx\r\n`,
  },
];

function command(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}

for (const { name, pipeline, expected } of PROTOCOLS) {
  test(`${name}: a long value that waits to be read is not the one written behind it`, async () => {
    await using service = await TcpService.start();
    const keys = Array.from({ length: CLIENTS }, (_, index) => `key-${index}`);
    await service.store.batch(keys.map((key) => ({ op: "set", key, value: long })));
    const clients = keys.map((key) => {
      const client = service.connect();
      client.send(pipeline(key));
      return client;
    });
    for (let round = 0; round < 200; round++) {
      if (clients.every((client) => client.text.length >= expected.length)) break;
      await service.settle();
    }
    for (const client of clients) {
      assert.equal(client.text.length, expected.length);
      assert.equal(client.text, expected);
      client.leave();
    }
  });
}
