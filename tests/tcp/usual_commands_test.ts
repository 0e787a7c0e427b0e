/** The shortest way of the usual commands: clients cannot tell it from the long one. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { OpenOptions } from "../../lib/mod.ts";
import type { Tracing } from "../../lib/server/telemetry/tracing.ts";
import { fuzz, mutated } from "../support/fuzzing.ts";
import { Gate, InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { LAZY, scanAll } from "../support/test_store.ts";
import { valueOf } from "../server/prometheus_text.ts";
import { bytesOf } from "./fed_parser.ts";
import { command } from "./stub_session.ts";
import { TcpService } from "./tcp_service.ts";

const KEYS = [
  "a",
  "b",
  "key:000000000001",
  "k".repeat(20),
  "gr\u00fc\u00df",
  "\xff\xfe",
  "",
  "none",
];
const LIMITS = { valueBytesMax: 20_000 };
const STORE: OpenOptions = { keyBytesMax: 16, valueBytesMax: 18_000 };

/** A service for which nothing is usual. */
function startLong(open: OpenOptions): Promise<TcpService> {
  return TcpService.start({ limits: LIMITS }, open, ({ telemetry }) => {
    const { access } = telemetry;
    telemetry.access = (store) => {
      const tracing = { enabled: true } as Tracing;
      return { ...access.call(telemetry, store), tracing };
    };
  });
}

function utf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function randomCommand(random: SeededRandom): string {
  const key = random.pick(random.chance(0.8) ? KEYS.slice(0, 3) : KEYS);
  const value = "v".repeat(random.pick([0, 1, 10, 100, 9_000, 17_999, 18_001, 20_001]));
  const isUpper = random.chance(0.5);
  const name = (text: string) => isUpper ? text.toUpperCase() : text;
  switch (random.below(24)) {
    case 0:
      return command("MULTI") + command("GET", key) + command("SET", key, value) + command("EXEC");
    case 1:
      return command("HELLO", random.pick(["2", "3"])).replace(/server.*/, "");
    case 2:
      return `GET ${utf8(key)}\n`;
    case 3:
      return `SET ${utf8(key)} ${value.length}\n${value}`;
    case 4:
      return command("MGET", key, "b");
    case 5:
      return command("DEL", key);
    case 6:
      return command("INCR", key);
    case 7:
      return command("SET", key, value, "EX", "100");
    case 8:
      return command("GETX", key) + command("SEX", key, value) + command("DBSIZE");
    case 9:
      return random.chance(0.3) ? `*2\r\n$3\r\nGET\r\n$0${key.length}\r\n${key}\r\n` : "";
    case 10:
      return random.chance(0.3) ? `*3\r\n$3\r\nGET\r\n$1\r\na\r\n$1\r\nb\r\n` : command("SET", key);
    case 11:
      return random.chance(0.3) ? "*2\r\n$3\r\nGET\r\n$999999\r\n" : command("WATCH", key);
    default:
      return random.chance(0.5) ? command(name("get"), key) : command(name("set"), key, value);
  }
}

function pieces(bytes: Uint8Array, random: SeededRandom): Uint8Array[] {
  const all: Uint8Array[] = [];
  const longest = random.pick([1, 7, 100, 30_000, bytes.length + 1]);
  const isShort = longest < 100 && bytes.length > 2000;
  for (let at = 0; at < bytes.length;) {
    const length = isShort ? random.between(1, 1000) : random.between(1, longest);
    all.push(bytes.slice(at, at + length));
    at += length;
  }
  return all;
}

test("usual commands: the same replies, counts and keys as by the long way, whatever is sent", async () => {
  await fuzz(20, async (random) => {
    const durability = random.pick([LAZY, "immediate" as const]);
    await using usual = await TcpService.start({ limits: LIMITS }, { ...STORE, durability });
    await using long = await startLong({ ...STORE, durability });
    const services = [usual, long];
    const clients = services.map((service) => service.connect());
    let sent: Uint8Array = bytesOf(
      Array.from({ length: random.between(1, 60) }, () => randomCommand(random)).join(""),
    );
    if (random.chance(0.3)) sent = mutated(sent, random);
    for (const piece of pieces(sent, random)) {
      for (const client of clients) client.send(piece.slice());
      if (random.chance(0.2)) await Promise.all(services.map((service) => service.settle()));
    }
    for (let round = 0; round < 3; round++) {
      await Promise.all(services.map((service) => service.settle()));
    }
    const [here, there] = clients.map(({ text }) => text.replaceAll(/\d{13}|id\r\n:\d+/g, "*"));
    assert.equal(here, there);
    const [counts, countsLong] = await Promise.all(services.map(counted));
    assert.deepEqual(counts, countsLong);
    const [entries, entriesLong] = await Promise.all(services.map(({ store }) => scanAll(store)));
    assert.deepEqual(entries, entriesLong);
    for (const client of clients) client.leave();
  });
});

async function counted(service: TcpService) {
  const families = await service.scrape();
  const samples = (name: string) => families.get(name)!.samples;
  return [
    samples("cairn_tcp_commands_total"),
    samples("cairn_tcp_sent_bytes_total"),
    // A read behind a write that is not done is an update by the long way.
    samples("cairn_operations_total").filter(({ labels }) => labels["operation"] === "set"),
  ];
}

for (
  const [name, set, get, ok, value] of [
    ["RESP", command("SET", "a", "1"), command("GET", "a"), "+OK\r\n", "$1\r\n1\r\n"],
    ["text", "SET a 1\n1", "GET a\n", "OK\n", "VALUE 1\n1"],
  ] as const
) {
  test(`usual commands, ${name}: no reply before the fsync, one write of all behind it`, async () => {
    const fileSystem = new InterceptingFileSystem(new MemoryFileSystem());
    await using service = await TcpService.start({}, { fileSystem });
    await service.store.set("a", "0");
    using gate = new Gate();
    fileSystem.beforeSyncAsync = () => gate.pass();
    const [writer, other] = [service.connect(), service.connect()];
    writer.send(command("PING") + set);
    writer.send(set + set + set);
    other.send(set);
    other.send(get);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writer.text, "+PONG\r\n");
    assert.equal(other.text, "");
    gate.open();
    await service.settle();
    assert.deepEqual(writer.writes.slice(1), [ok.repeat(4)]);
    assert.equal(other.text, ok + value);
    const families = await service.scrape();
    const labels = { operation: "set", result: "ok" };
    assert.equal(valueOf(families, "cairn_operations_total", labels), 5);
  });

  test(`usual commands, ${name}: after a failed fsync none is said to be done`, async () => {
    await using service = await TcpService.start();
    const [writer, gone] = [service.connect(), service.connect()];
    for (const client of [writer, gone]) client.send(command("PING") + set);
    await service.settle();
    service.failSyncs();
    writer.send(set + set + get + set);
    gone.send(set);
    gone.leave();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    const replies = writer.text.slice(`+PONG\r\n${ok}`.length);
    // By RESP, a read behind a write rests on it.
    if (name === "RESP") assert.match(replies, /^(?:-MISCONF [^\r\n]*\r\n){4}$/);
    else assert.match(replies, /^(?:ERR Io [^\r\n]*\n){2}VALUE 1\n1ERR Io [^\r\n]*\n$/);
    const families = await service.scrape();
    const count = (result: string) =>
      valueOf(families, "cairn_operations_total", { operation: "set", result });
    assert.deepEqual([count("ok"), count("error")], [2, 4]);
    const protocol = name === "RESP" ? "resp" : "text";
    const errors = { protocol, command: "set", result: "error" };
    assert.equal(valueOf(families, "cairn_tcp_commands_total", errors), 3);
    service.fileSystem.heal();
    await service.store.close().catch(() => {});
  });
}

test("usual commands: a set whose client has gone is counted when it is done", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send(command("PING") + command("SET", "a", "1"));
  client.leave();
  await service.settle();
  const families = await service.scrape();
  const labels = { operation: "set", result: "ok" };
  assert.equal(valueOf(families, "cairn_operations_total", labels), 1);
  assert.equal(service.store.has("a"), true);
});

test("usual commands: a value that cannot be read is an error, and nothing of it is sent", async () => {
  await using service = await TcpService.start();
  await service.store.set("a", "1");
  service.fileSystem.fail = ({ what }) => what === "read" ? "EIO" : undefined;
  const reply = await service.exchange(command("PING") + command("GET", "a") + "GET a\n");
  assert.match(reply, /^\+PONG\r\n-MISCONF [^\r\n]*\r\nERR Io [^\r\n]*\n$/);
  service.fileSystem.heal();
});

test("what looks at all keys has its place among the writes, and others come behind it", async () => {
  for (const durability of [LAZY, "immediate" as const]) {
    await using service = await TcpService.start({}, { durability });
    const set = (key: string) => command("SET", key, "1");
    const [writer, gone] = [service.connect(), service.connect()];
    writer.send(command("PING") + set("a"));
    writer.send(
      set("b") + command("DBSIZE") + command("KEYS", "*") + set("c") + command("HELLO", "3"),
    );
    await service.settle();
    await service.settle();
    const expected = "+PONG\r\n+OK\r\n+OK\r\n:2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n+OK\r\n%";
    assert.equal(writer.text.slice(0, expected.length), expected);
    // Nothing is executed any more for a client that has gone.
    gone.send(command("INCR", "n") + command("KEYS", "*") + set("d"));
    gone.leave();
    await service.settle();
    await service.settle();
    assert.equal(service.store.has("d"), false);
  }
});

test("usual commands: what is nearly one is refused as ever", async () => {
  const head = "*2\r\n$3\r\nGET\r\n";
  for (const wrong of [`${head}$01\r\na\r\n`, `${head}$1\n\na\r\n`, `${head}$1\r\na\n\r`]) {
    await using service = await TcpService.start();
    await service.store.set("a", "1");
    const reply = await service.exchange(command("PING") + command("GET", "a") + wrong);
    assert.match(reply, /^\+PONG\r\n\$1\r\n1\r\n-ERR Protocol error: [^\r\n]*\r\n$/);
  }
});

test("usual commands: the end of one group answers no set of the next", async () => {
  const fileSystem = new InterceptingFileSystem(new MemoryFileSystem());
  await using service = await TcpService.start({}, { fileSystem });
  const opens: (() => void)[] = [];
  fileSystem.beforeSyncAsync = () => new Promise((resolve) => opens.push(resolve));
  const turns = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const set = command("SET", "a", "1");
  const [first, second] = [service.connect(), service.connect()];
  first.send(command("PING") + set + set);
  second.send(command("PING"));
  first.send(set + set);
  await turns();
  second.send(set + set);
  opens.shift()!();
  await turns();
  assert.equal(first.text, `+PONG\r\n${"+OK\r\n".repeat(4)}`);
  assert.equal(second.text, "+PONG\r\n");
  while (second.text === "+PONG\r\n") {
    opens.shift()?.();
    await turns();
  }
  assert.equal(second.text, "+PONG\r\n+OK\r\n+OK\r\n");
});
