/** One connection, whichever protocol it is in: order, limits, ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { valueOf } from "../server/prometheus_text.ts";
import { bytesOf } from "./fed_parser.ts";
import { command, type StubSession, stubSessions } from "./stub_session.ts";
import { TcpService } from "./tcp_service.ts";

const MIB = 1 << 20;
const soon = () => new Promise((resolve) => setImmediate(resolve));

test("connection: replies keep the order of commands, whichever is known first", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(command("ECHO", "0") + command("WAIT", "1") + command("WAIT", "2"));
  client.send(command("ECHO", "3") + command("WAIT", "4"));
  assert.equal(client.text, "$6\r\nECHO 0\r\n");
  made[0]!.answer("4");
  made[0]!.answer("2");
  await soon();
  assert.equal(client.writes.length, 1);
  made[0]!.answer("1");
  await soon();
  assert.deepEqual(client.writes.slice(1), ["+1\r\n+2\r\n$6\r\nECHO 3\r\n+4\r\n"]);
});

test("connection: each reply is in the version that was spoken when it was asked for", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(command("WAIT", "1") + command("NIL") + command("HELLO", "3") + command("NIL"));
  made[0]!.answer("1");
  await soon();
  assert.equal(client.text, "+1\r\n$-1\r\n%0\r\n_\r\n");
});

test("connection: both protocols, one after the other, neither ahead of the other", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(`SET a 1\nx${command("WAIT", "1")}GET a\n${command("ECHO", "2")}`);
  assert.equal(made.length === 0 || made[0]!.executed.length === 0, true);
  await service.settle();
  assert.equal(client.text, "OK\n");
  assert.deepEqual(made[0]!.executed, ["WAIT 1"]);
  made[0]!.answer("1");
  await soon();
  assert.equal(client.text, "OK\n+1\r\nVALUE 1\nx$6\r\nECHO 2\r\n");
});

test("connection: what a session knows of it, and when it is gone", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const [first, second] = [service.connect(), service.connect()];
  for (const client of [first, second]) client.send(command("ECHO"));
  const { id, remoteAddress, localAddress } = made[1]!.connection;
  assert.deepEqual([id, remoteAddress, localAddress], [2, "192.0.2.1:1234", "192.0.2.2:8621"]);
  second.leave();
  assert.deepEqual(made.map(({ isClosed }) => isClosed), [false, true]);
});

test("connection: QUIT is answered, and nothing behind it is executed", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(command("WAIT", "1") + command("QUIT") + command("ECHO", "x"));
  assert.equal(client.outcome, undefined);
  made[0]!.answer("1");
  await soon();
  assert.deepEqual([client.text, client.outcome], ["+1\r\n+OK\r\n", "ended"]);
  assert.deepEqual(made[0]!.executed, ["WAIT 1", "QUIT"]);
});

test("connection: a defect costs one reply, or if that has begun the connection", async () => {
  await using service = await TcpService.start({ createSession: stubSessions() });
  const client = service.connect();
  client.send(command("THROW") + command("REJECT") + command("ECHO", "on"));
  await soon();
  const error = "-ERR internal error; the server's log has it\r\n";
  assert.equal(client.text, `${error}${error}$7\r\nECHO on\r\n`);
  client.send(command("BROKEN") + command("ECHO", "on"));
  assert.equal(client.outcome, "destroyed");
  assert.equal(service.server.connectionsOpen, 0);
  assert.equal(service.logger.troubles.length, 3);
});

test("connection: who has sent everything and says so gets all replies, then the end", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET a 1\nxGET a\nSET a 1\nyGET a\nSET half 5\nab");
  client.finish();
  assert.deepEqual([client.text, client.outcome], ["", undefined]);
  for (let round = 0; round < 3; round++) await service.settle();
  assert.deepEqual([client.text, client.outcome], ["OK\nVALUE 1\nxOK\nVALUE 1\ny", "closed"]);
  assert.equal(service.store.has("half"), false);
});

test("connection: errors of RESP are in the words of Redis, and the last ones", async () => {
  await using service = await TcpService.start({ createSession: stubSessions() });
  for (
    const [input, message] of [
      ["*x\r\n", "invalid multibulk length"],
      ["*1\r\n+PING\r\n", "expected '$', got '+'"],
      ["*1\r\n$x\r\n", "invalid bulk length"],
    ]
  ) {
    const client = service.connect();
    client.send(command("ECHO", "1") + input + command("ECHO", "2"));
    assert.equal(client.text, `$6\r\nECHO 1\r\n-ERR Protocol error: ${message}\r\n`);
    assert.equal(client.outcome, "ended");
  }
});

test("connection: without a token, a session's commands have to be short", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(command("ECHO"));
  made[0]!.isAuthenticated = false;
  client.send(`*2\r\n$4\r\nAUTH\r\n$${MIB}\r\n`);
  assert.match(client.text, /-ERR Protocol error: unauthenticated bulk length\r\n$/);
});

test("connection: too many commands in flight wait, and so does the client in the end", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({
    createSession: stubSessions(made),
    limits: { commandsInFlightMax: 2 },
  });
  const client = service.connect();
  client.send(command("WAIT", "1") + command("WAIT", "2") + command("WAIT", "3"));
  assert.deepEqual(made[0]!.executed, ["WAIT 1", "WAIT 2"]);
  assert(!client.isPaused);
  client.send(command("ECHO", "x".repeat(70_000)));
  assert(client.isPaused);
  made[0]!.answer("1");
  await soon();
  assert.deepEqual(made[0]!.executed.length, 3);
  made[0]!.answer("2");
  made[0]!.answer("3");
  await soon();
  assert.equal(made[0]!.executed.length, 4);
  assert(!client.isPaused);
});

test("connection: while its session is busy, no command is executed", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.send(command("WAIT", "1"));
  made[0]!.isBusy = true;
  client.send(command("WAIT", "2") + "GET a\n");
  assert.equal(made[0]!.executed.length, 1);
  made[0]!.isBusy = false;
  made[0]!.answer("1");
  await soon();
  assert.equal(made[0]!.executed.length, 2);
  made[0]!.answer("2");
  await soon();
  assert.equal(client.text, "+1\r\n+2\r\nNOT_FOUND\n");
});

test("connection: one client's thousands of commands let others have their turn", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const [busy, other] = [service.connect(), service.connect()];
  busy.send(command("ECHO").repeat(3000));
  assert.equal(made[0]!.executed.length, 1024);
  other.send("GET a\n");
  assert.equal(other.text, "NOT_FOUND\n");
  while (made[0]!.executed.length < 3000) await soon();
  assert.equal(busy.text, "$4\r\nECHO\r\n".repeat(3000));
});

test("connection: while replies are not taken, no command is executed", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const client = service.connect();
  client.room = 0;
  client.send(command("LONG", `${2 * MIB}`) + command("ECHO", "1"));
  assert.equal(made[0]!.executed.length, 1);
  client.send(command("ECHO", "x".repeat(70_000)));
  assert(client.isPaused);
  client.take(100);
  assert.equal(made[0]!.executed.length, 1);
  client.take(10_000_000);
  assert.equal(made[0]!.executed.length, 3);
  const [, length] = /^\$(\d+)\r\n/.exec(client.text)!;
  assert.equal(Number(length), 2 * MIB);
  assert(client.text.includes("x\r\n$6\r\nECHO 1\r\n"));
  assert(!client.isPaused);
});

test("connection: replies that are taken in bits arrive whole", async () => {
  await using service = await TcpService.start({ createSession: stubSessions() });
  const client = service.connect();
  client.room = 0;
  const sizes = [1, 5000, 20_000, 3, 70_000, 16_384, 9];
  for (const size of sizes) client.send(command("LONG", `${size}`));
  const expected = sizes.map((size) => `$${size}\r\n${"x".repeat(size)}\r\n`).join("");
  for (let room = 1; client.text.length < expected.length; room = (room * 7) % 5003) {
    client.take(room);
  }
  assert.equal(client.text, expected);
});

test("connection: no reply overtakes another that waits, even if the socket would take it", async () => {
  await using service = await TcpService.start({ createSession: stubSessions() });
  const client = service.connect();
  client.room = 3;
  client.send(command("ECHO", "1"));
  client.room = Infinity; // and nobody has told the server
  client.send(command("ECHO", "2"));
  client.take(Infinity);
  assert.equal(client.text, "$6\r\nECHO 1\r\n$6\r\nECHO 2\r\n");
});

test("connection: who takes nothing is cut off in time, and its replies are let go", async () => {
  await using service = await TcpService.start({ createSession: stubSessions() });
  const client = service.connect();
  client.room = 10;
  client.send(command("LONG", "100000"));
  const unsent = async () => valueOf(await service.scrape(), "cairn_tcp_unsent_bytes");
  assert(await unsent() > 90_000);
  service.clock.advance(20_000);
  assert.equal(client.outcome, undefined);
  // What it takes gives it time: so many bytes, one second each 16 KiB.
  client.take(32 << 10);
  service.clock.advance(2000);
  assert.equal(client.outcome, undefined);
  service.clock.advance(3000);
  assert.equal(client.outcome, "destroyed");
  assert.equal(await unsent(), 0);
  assert.equal(
    valueOf(await service.scrape(), "cairn_tcp_connections_cut_total", { reason: "slow" }),
    1,
  );
  assert.match(service.logger.troubles.join(), /takes replies too slowly/);
});

test("connection: replies beyond the hard limit are not even kept", async () => {
  const outputBytesMax = 4 * MIB;
  await using service = await TcpService.start({
    createSession: stubSessions(),
    limits: { outputBytesMax },
  });
  const client = service.connect();
  client.room = 0;
  client.send(command("LONG", `${outputBytesMax - 100}`));
  assert.equal(client.outcome, undefined);
  const other = service.connect();
  other.room = 0;
  other.send(command("LONG", `${outputBytesMax + 1}`));
  assert.equal(other.outcome, "destroyed");
  assert.equal(
    valueOf(await service.scrape(), "cairn_tcp_connections_cut_total", { reason: "memory" }),
    1,
  );
});

test("connection: many slow readers hold only so much together, but one may hold what it has", async () => {
  await using service = await TcpService.start({
    createSession: stubSessions(),
    limits: { outputBytesHeldMax: 3 * MIB },
  });
  const clients = Array.from({ length: 4 }, () => service.connect());
  for (const client of clients) {
    client.room = 0;
    client.send(command("LONG", `${MIB}`));
  }
  assert.deepEqual(clients.map(({ outcome }) => outcome), [
    undefined,
    undefined,
    "destroyed",
    "destroyed",
  ]);
  for (const client of clients) client.leave();
  const single = service.connect();
  single.room = 0;
  single.send(command("LONG", `${8 * MIB}`));
  assert.equal(single.outcome, undefined);
});

test("connection: CONFIG GET tells the limits that it has", async () => {
  await using service = await TcpService.start({ limits: { clientsMax: 7, idleMs: 9500 } });
  const client = service.connect();
  client.send(command("CONFIG", "GET", "maxclients", "timeout"));
  const expected = ["maxclients", "7", "timeout", "10"].map((each) => `$${each.length}\r\n${each}`);
  assert.equal(client.text, `*4\r\n${expected.join("\r\n")}\r\n`);
});

test("connection: unfinished commands hold only so much together", async () => {
  await using service = await TcpService.start({ limits: { inputBytesHeldMax: 3 * MIB } });
  const clients = Array.from({ length: 5 }, () => service.connect());
  for (const client of clients) client.send(`SET a ${MIB}\n${"x".repeat(MIB - 1)}`);
  const cut = clients.filter(({ outcome }) => outcome === "destroyed").length;
  assert(cut >= 2 && cut <= 4, `${cut} of 5`);
  for (const client of clients) client.leave();
  const single = service.connect();
  single.send(`SET a ${8 * MIB}\n`);
  for (let part = 0; part < 8; part++) single.send("x".repeat(MIB));
  await service.settle();
  assert.equal(single.text, "OK\n");
});

test("connection: a long command that trickles in is cut off", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send(`SET a ${MIB}\n${"x".repeat(100_000)}`);
  for (let second = 0; second < 60 && client.outcome === undefined; second++) {
    client.send("x");
    service.clock.advance(1000);
  }
  assert.equal(client.outcome, "destroyed");
  const fast = service.connect();
  fast.send(`SET a ${MIB}\n${"x".repeat(100_000)}`);
  for (let second = 0; second < 50; second++) {
    fast.send("x".repeat(18_000));
    service.clock.advance(1000);
  }
  assert.equal(fast.outcome, undefined);
});

test("connection: without a byte it is closed, sooner if there was never a command", async () => {
  await using service = await TcpService.start({
    limits: { idleMs: 100_000, firstCommandMs: 10_000 },
  });
  const [mute, stutterer, good] = [service.connect(), service.connect(), service.connect()];
  good.send("GET a\n");
  stutterer.send("GE");
  service.clock.advance(9000);
  assert.deepEqual([mute.outcome, stutterer.outcome], [undefined, undefined]);
  service.clock.advance(3000);
  assert.deepEqual([mute.outcome, stutterer.outcome], ["destroyed", "destroyed"]);
  service.clock.advance(60_000);
  good.send("GET a\n");
  service.clock.advance(99_000);
  assert.equal(good.outcome, undefined);
  service.clock.advance(4000);
  assert.equal(good.outcome, "destroyed");
  assert.equal(service.clock.pendingCount(), 0, "nobody is left to be looked at");
});

test("connection: a client that waits for its reply is not idle", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({
    createSession: stubSessions(made),
    limits: { idleMs: 10_000 },
  });
  const client = service.connect();
  client.send(command("WAIT", "1"));
  service.clock.advance(60_000);
  assert.equal(client.outcome, undefined);
  made[0]!.answer("1");
  await soon();
  assert.equal(client.text, "+1\r\n");
  assert.match(service.logger.troubles.join(), /"command":"other","durationMs":60000/);
});

test("connection: a client that does not close when it is told the end is closed", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET\n");
  assert.equal(client.outcome, "ended");
  service.clock.advance(10_000);
  assert.equal(client.outcome, "destroyed");
});

test("connection: any bytes in any pieces, with any reader, end well", async () => {
  const made: StubSession[] = [];
  await using service = await TcpService.start({ createSession: stubSessions(made) });
  const piece = fc.oneof(
    fc.constantFrom("SET a 3\nabc", "GET a\n", "DEL a\n", "\r\n", command("ECHO", "x"), "*1\r\n"),
    fc.constantFrom("$4\r\n", command("QUIT"), command("LONG", "20000"), "GET ", "SET a "),
    fc.string({ unit: "binary-ascii", maxLength: 10 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 20 }), fc.nat(3000), async (pieces, room) => {
      const client = service.connect();
      client.room = room;
      for (const each of pieces) client.send(bytesOf(each));
      await soon();
      client.finish();
      client.take(Infinity);
      await service.settle();
      client.take(Infinity);
      assert(client.outcome !== undefined, "it is over");
      client.leave();
    }),
    { numRuns: 300 },
  );
  const families = await service.scrape();
  assert.deepEqual([
    valueOf(families, "cairn_tcp_connections_open"),
    valueOf(families, "cairn_tcp_unsent_bytes"),
  ], [0, 0]);
});
