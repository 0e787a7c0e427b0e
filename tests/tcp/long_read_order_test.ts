/** Long values are read in turn, and each read sees what was there when its command came. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { TcpService } from "./tcp_service.ts";

const CLIENTS = 4;
/** As much as may be read at once, so that all but one wait for their turn. */
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
    const fileSystem = new InterceptingFileSystem(new MemoryFileSystem());
    await using service = await TcpService.start({ limits: { longReadBytesMax: LENGTH } }, {
      fileSystem,
    });
    using gate = new Gate();
    const keys = Array.from({ length: CLIENTS }, (_, index) => `key-${index}`);
    await service.store.batch(keys.map((key) => ({ op: "set", key, value: long })));
    fileSystem.beforeReadAsync = () => gate.pass();
    const clients = keys.map((key) => {
      const client = service.connect();
      client.send(pipeline(key));
      return client;
    });
    // Whatever was not held back is written and visible by now.
    await service.settle();
    gate.open();
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

for (const { name, pipeline } of PROTOCOLS) {
  test(`${name}: what has waited for its turn is not read for a client that has left`, async () => {
    const fileSystem = new InterceptingFileSystem(new MemoryFileSystem());
    await using service = await TcpService.start({ limits: { longReadBytesMax: LENGTH } }, {
      fileSystem,
    });
    using gate = new Gate();
    await service.store.set("key", long);
    let reads = 0;
    fileSystem.beforeReadAsync = () => {
      reads++;
      return gate.pass();
    };
    const clients = [service.connect(), service.connect(), service.connect()];
    for (const client of clients) client.send(pipeline("key"));
    await service.settle();
    const readsOfOne = reads;
    clients[1]!.leave();
    gate.open();
    for (let round = 0; round < 200 && clients[2]!.text === ""; round++) await service.settle();
    for (let round = 0; round < 5; round++) await service.settle();
    assert.notEqual(clients[2]!.text, "");
    assert.equal(clients[1]!.text, "");
    assert.equal(reads, 2 * readsOfOne);
    for (const client of clients) client.leave();
  });
}
