/** Connections that another thread has accepted: what it reads itself, and what it passes on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AccessControl } from "../../lib/server/tcp/mod.ts";
import { valueOf } from "../server/prometheus_text.ts";
import { latin1 } from "./fed_parser.ts";
import { ReadingService } from "./reading_service.ts";
import { command, type StubSession, stubSessions } from "./stub_session.ts";
import { TcpService } from "./tcp_service.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

test("threads: reads are answered where the connection is, from the second command on", async () => {
  await using service = await ReadingService.start();
  await service.main.store.set("a", "1");
  const client = service.connect();
  client.send(command("GET", "a"));
  assert.equal(client.text, "");
  await service.settle();
  assert.equal(client.text, "$1\r\n1\r\n");
  assert.deepEqual(service.read, []);
  client.send(command("GET", "a") + command("EXISTS", "a", "b") + command("MGET", "a", "b"));
  // At once: the store's thread had no turn.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(client.text, "$1\r\n1\r\n".repeat(2) + ":1\r\n*2\r\n$1\r\n1\r\n$-1\r\n");
  assert.deepEqual(service.read, ["a"]);
});

test("threads: a client sees what it has written, and replies keep their order", async () => {
  await using service = await ReadingService.start();
  const client = service.connect();
  client.send(command("PING"));
  await service.settle();
  for (const round of ["1", "2"]) {
    client.send(command("GET", "a") + command("SET", "a", round) + command("GET", "a"));
    client.send(command("GET", "a"));
    await service.settle();
  }
  const value = (text: string) => `$1\r\n${text}\r\n`;
  assert.equal(
    client.text,
    `+PONG\r\n$-1\r\n+OK\r\n${value("1").repeat(2)}${value("1")}+OK\r\n${value("2").repeat(2)}`,
  );
  // The others came behind a write that was not answered yet.
  assert.deepEqual(service.read, ["a"]);
});

test("threads: a read waits for a reply that is owed, however long that takes", async () => {
  const made: StubSession[] = [];
  await using service = await ReadingService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send("GET a\n");
  await service.settle();
  client.send(command("WAIT", "1"));
  await service.settle();
  client.send("GET a\n");
  await service.settle();
  assert.equal(client.text, "NOT_FOUND\n");
  made[0]!.answer("1");
  await service.settle();
  assert.equal(client.text, "NOT_FOUND\n+1\r\nNOT_FOUND\n");
});

test("threads: within a transaction, without a token, or in another protocol nothing is read", async () => {
  const access = new AccessControl({ full: TOKEN });
  await using service = await ReadingService.start({ access });
  await service.main.store.set("a", "1");
  const client = service.connect();
  const say = async (input: string) => {
    const { length } = client.text;
    client.send(input);
    await service.settle();
    return client.text.slice(length);
  };
  assert.match(await say(command("GET", "a")), /^-NOAUTH /);
  assert.match(await say(command("GET", "a")), /^-NOAUTH /);
  assert.match(await say("GET a\n"), /^ERR Unauthorized /);
  assert.equal(await say(command("AUTH", TOKEN)), "+OK\r\n");
  assert.match(await say("GET a\n"), /^ERR Unauthorized /);
  assert.equal(await say(command("MULTI")), "+OK\r\n");
  assert.equal(await say(command("GET", "a")), "+QUEUED\r\n");
  assert.equal(await say(command("EXEC")), "*1\r\n$1\r\n1\r\n");
  assert.deepEqual(service.read, []);
  assert.equal(await say(command("GET", "a")), "$1\r\n1\r\n");
  assert.match(await say(command("HELLO", "3")), /^%/);
  assert.equal(await say(command("GET", "b")), "_\r\n");
  assert.equal(await say(command("GET", "a")), "$1\r\n1\r\n");
  assert.deepEqual(service.read, ["a", "a"]);
  assert.equal(await say(command("QUIT") + command("GET", "a")), "+OK\r\n");
  assert.equal(client.outcome, "ended");
});

const KEYS = fc.constantFrom("a", "b", "cc", "d d", "\xc3\xa9", "\xff", "");
const VALUES = fc.constantFrom(
  "",
  "1",
  "22",
  "x".repeat(300),
  "y".repeat(5000),
  "z".repeat(70_000),
);
const COMMANDS = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom("GET", "get", "STRLEN", "TTL", "TYPE"), KEYS) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("EXISTS", "MGET"), KEYS, KEYS) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("SET"), KEYS, VALUES) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ["DEL", "a"],
      ["INCR", "b"],
      ["MULTI"],
      ["EXEC"],
      ["DISCARD"],
      ["HELLO", "3"],
      ["HELLO", "2"],
      ["GETRANGE", "a", "0", "5"],
      ["GETRANGE", "a", "x", "5"],
      ["MGET"],
      ["nonsense", "a"],
      ["PEXPIRE", "a", "10"],
      ["PEXPIREAT", "a", "99999999999999"],
      ["DBSIZE"],
    ),
  },
).map((words) => command(...words as [string, ...string[]]));
const TEXTS = fc.oneof(
  { weight: 4, arbitrary: KEYS.map((key) => `GET ${key}\n`) },
  { weight: 1, arbitrary: KEYS.map((key) => `DEL ${key}\r\n`) },
  {
    weight: 2,
    arbitrary: fc.tuple(KEYS, VALUES).map(([key, value]) => `SET ${key} ${value.length}\n${value}`),
  },
  { weight: 1, arbitrary: fc.constantFrom("\n", "what\n", "*0\r\n") },
);

/** A command, how much of it is sent apart from the rest, and whether the client waits behind it. */
const STEPS = fc.record({
  command: fc.oneof({ weight: 4, arbitrary: COMMANDS }, { weight: 1, arbitrary: TEXTS }),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(40) }),
  waits: fc.constantFrom("no", "a turn", "for all"),
});
type Step = { command: string; cut: number; waits: string };

/** What a client is answered that sends this. */
async function answers(
  service: { connect(): ReturnType<TcpService["connect"]>; settle(): Promise<void> },
  steps: readonly Step[],
): Promise<string> {
  const client = service.connect();
  let unsent = "";
  for (const { command, cut, waits } of steps) {
    unsent += command;
    if (waits === "no") continue;
    client.send(unsent.slice(0, unsent.length - cut));
    unsent = unsent.slice(Math.max(0, unsent.length - cut));
    if (waits === "for all") await service.settle();
    else await new Promise((resolve) => setImmediate(resolve));
  }
  client.send(unsent);
  client.finish();
  await service.settle();
  return client.text;
}

test("threads: whatever is sent in whatever pieces, the answers are those of one thread", async () => {
  let looks = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(STEPS, { minLength: 10, maxLength: 40 }), async (steps) => {
      await using plain = await TcpService.start();
      await using service = await ReadingService.start();
      assert.equal(await answers(service, steps), await answers(plain, steps));
      looks += service.looks;
    }),
    { numRuns: 60 },
  );
  assert(looks > 100, `only ${looks} keys were looked up by the other thread`);
});

test("threads: a client that takes its replies slowly gets all of them, and no more is read", async () => {
  await using service = await ReadingService.start();
  const value = "v".repeat(30_000);
  await service.main.store.set("a", value);
  const client = service.connect();
  client.send(command("PING"));
  await service.settle();
  client.room = 100_000;
  client.send(command("GET", "a").repeat(200));
  await service.settle();
  assert(service.read.length < 10, String(service.read.length));
  // Beside what the main thread may send ahead.
  const waiting = service.main.server;
  assert.equal(waiting.connectionsOpen, 1);
  for (let round = 0; client.text.length < 200 * 30_010; round++) {
    assert(round < 2000, `${client.text.length} bytes came`);
    client.take(50_000);
    await service.settle();
  }
  assert.equal(client.text, "+PONG\r\n" + `$30000\r\n${value}\r\n`.repeat(200));
});

test("threads: connections count together, whichever thread has them", async () => {
  await using service = await ReadingService.start({ limits: { clientsMax: 2 } });
  const first = service.main.connect();
  const second = service.connect();
  await service.settle();
  const third = service.connect();
  const fourth = service.main.connect();
  await service.settle();
  assert.equal(third.text, "-ERR max number of clients reached\r\n");
  assert.equal(third.outcome, "closed");
  assert.equal(fourth.text, "-ERR max number of clients reached\r\n");
  second.leave();
  await service.settle();
  assert.equal(service.main.server.connectionsOpen, 1);
  assert.equal(first.outcome, undefined);
});

test("threads: who reads is not idle, and who does nothing is", async () => {
  await using service = await ReadingService.start({ limits: { idleMs: 10_000 } });
  const clients = [service.connect(), service.connect()] as const;
  for (const client of clients) client.send(command("PING"));
  await service.settle();
  for (let second = 0; second < 30; second++) {
    clients[0].send(command("GET", "a"));
    service.main.clock.advance(1000);
    await service.settle();
  }
  assert.equal(clients[0].outcome, undefined);
  assert.equal(clients[1].outcome, "destroyed");
  assert(service.read.length >= 0);
});

test("threads: a client that takes slowly, and reads on, loses nothing of what it may be sent", async () => {
  await using service = await ReadingService.start();
  const value = "v".repeat(30_000);
  const client = service.connect();
  let expected = "";
  for (let round = 0; round < 12; round++) {
    client.room = 1000;
    client.send(command("SET", "a", value) + command("GET", "a").repeat(3));
    await service.settle();
    // All of it was answered, and waits here, in front of what comes now.
    client.send(command("GET", "a"));
    await service.settle();
    client.take(Infinity);
    await service.settle();
    expected += "+OK\r\n" + `$30000\r\n${value}\r\n`.repeat(4);
    assert.equal(client.text.length, expected.length, `round ${round}`);
  }
  assert.equal(client.text, expected);
});

test("threads: a server that stops ends connections that another thread has", async () => {
  await using service = await ReadingService.start();
  const client = service.connect();
  client.send(command("SET", "a", "1"));
  await service.settle();
  const closed = service.main.server.close(1000);
  await service.settle();
  assert.equal(client.text, "+OK\r\n");
  assert.equal(client.outcome, "ended");
  client.leave();
  for (let round = 0; round < 20; round++) {
    service.main.clock.advance(50);
    await service.settle();
  }
  await closed;
});

test("threads: what INFO tells of reads holds for those of another thread too", async () => {
  await using service = await ReadingService.start();
  await service.main.store.set("a", "1");
  const client = service.connect();
  client.send(command("PING"));
  await service.settle();
  client.send(command("GET", "a").repeat(3) + command("GET", "b") + command("TTL", "a"));
  service.main.clock.advance(100);
  await service.settle();
  const { length } = client.text;
  client.send(command("INFO", "stats"));
  await service.settle();
  const info = client.text.slice(length);
  assert.match(info, /keyspace_hits:3\r\n/);
  assert.match(info, /keyspace_misses:1\r\n/);
  assert.match(info, /total_commands_processed:7\r\n/);
  const families = await service.main.scrape();
  assert.equal(valueOf(families, "cairn_tcp_connections_open"), 1);
  assert.equal(latin1(new Uint8Array(0)), "");
});
