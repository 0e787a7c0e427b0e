/** The text protocol on a connection: what is answered, in which order, and when. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AccessControl } from "../../lib/server/access_control.ts";
import { FailureLimit } from "../../lib/server/failure_limit.ts";
import { pattern, text } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";
import { latin1 } from "./fed_parser.ts";
import { TcpService } from "./tcp_service.ts";

const FULL = "0123456789abcdef0123456789abcdef";
const READ = "fedcba9876543210fedcba9876543210";

function createAccess(): AccessControl {
  const silent = () => {};
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  return new AccessControl(
    { full: FULL, readOnly: READ },
    new FailureLimit(new TestClock(), logger),
  );
}

test("text: set, get and delete", async () => {
  await using service = await TcpService.start();
  assert.equal(
    await service.exchange("GET a\nSET a 5\nhelloGET a\nDEL a\nDEL a\nGET a\n"),
    "NOT_FOUND\nOK\nVALUE 5\nhelloOK\nNOT_FOUND\nNOT_FOUND\n",
  );
});

test("text: values of any bytes and length", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  for (const length of [0, 1, 100, 16_383, 16_384, 32_768, 32_769, 65_536, 1_000_000]) {
    const value = pattern(length, length);
    client.send(`SET k ${length}\n`);
    client.send(value);
    client.send("GET k\n");
    await service.settle();
    assert.equal(client.text, `OK\nVALUE ${length}\n${latin1(value)}`);
    client.writes.length = 0;
    assert.deepEqual(await service.store.get("k"), value);
  }
});

test("text: the sets of a pipeline share one fsync, and their replies one write", async () => {
  await using service = await TcpService.start();
  const before = service.store.stats().syncs;
  const client = service.connect();
  client.send(Array.from({ length: 100 }, (_, index) => `SET key-${index} 1\nx`).join(""));
  assert.equal(client.text, "", "nothing is acknowledged before it is durable");
  await service.settle();
  assert.deepEqual(client.writes, ["OK\n".repeat(100)]);
  assert.equal(service.store.stats().syncs - before, 1);
});

test("text: a read sees the writes before it in the pipeline, and none behind it", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET a 1\n1GET a\nSET a 1\n2GET a\nDEL a\nGET a\nSET a 1\n3");
  assert.equal(client.text, "");
  for (let round = 0; round < 5; round++) await service.settle();
  assert.equal(client.text, "OK\nVALUE 1\n1OK\nVALUE 1\n2OK\nNOT_FOUND\nOK\n");
  assert.equal(text(await service.store.get("a")), "3");
});

test("text: a delete knows of the sets before it in the pipeline", async () => {
  await using service = await TcpService.start();
  assert.equal(await service.exchange("SET a 1\n1DEL a\nDEL a\n"), "OK\nOK\nNOT_FOUND\n");
});

test("text: what the store refuses is an error, and the next command is read", async () => {
  await using service = await TcpService.start({}, { keyBytesMax: 10 });
  const answer = await service.exchange(
    `SET \xff 3\nGETGET \xff\nSET ${"k".repeat(11)} 3\nGETFOO\nGET a\n`,
  );
  const codes = answer.split("\n").map((line) => line.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(codes, [
    "ERR InvalidKey",
    "ERR InvalidKey",
    "ERR InvalidKey",
    "ERR BadCommand",
    "NOT_FOUND",
    "",
  ]);
});

test("text: a write that the disk refuses is not acknowledged", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET a 1\n1");
  await service.settle();
  service.failSyncs();
  client.send("SET a 1\n2SET b 1\n2GET a\n");
  await service.settle().catch(() => {});
  for (let round = 0; round < 10; round++) await new Promise((resolve) => setImmediate(resolve));
  assert.match(client.text, /^OK\nERR Io .*\nERR Io .*\nVALUE 1\n1$/);
});

test("text: where nobody knows the next command, an error is the last word", async () => {
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET a 1\nxSET a b 5\nGET a\n");
  await service.settle();
  assert.equal(client.text, "OK\nERR BadCommand SET <key> <length>, then so many bytes\n");
  assert.equal(client.outcome, "ended");
  client.send("GET a\n");
  assert.equal(client.writes.length, 1);
  assert.equal(service.server.connectionsOpen, 1, "until the client has closed too");
  client.finish();
  assert.deepEqual([client.outcome, service.server.connectionsOpen], ["closed", 0]);
});

test("text: who speaks HTTP gets no answer, not even to what stands behind it", async () => {
  await using service = await TcpService.start();
  for (
    const request of ["GET / HTTP/1.1\r\n", "POST /\r\n", "Host: x\r\n", "DELETE /a HTTP/1.0\n"]
  ) {
    const client = service.connect();
    client.send(`${request}SET a 1\n1\nSET a 1\n1`);
    await service.settle();
    assert.deepEqual([client.text, client.outcome], ["", "ended"]);
  }
  assert.equal(service.store.size, 0);
});

test("text: with tokens, nothing before AUTH, and no writing with the one for reading", async () => {
  await using service = await TcpService.start({ access: createAccess() });
  const need = "ERR Unauthorized This service needs a token: send AUTH <token> first\n";
  assert.equal(await service.exchange("GET a\nSET a 3\nDELDEL a\n"), need.repeat(3));
  assert.equal(service.store.size, 0);
  assert.equal(await service.exchange(`AUTH ${FULL}\nSET a 1\nxGET a\n`), "OK\nOK\nVALUE 1\nx");
  const forbidden = "ERR Forbidden This token allows reading only\n";
  assert.equal(
    await service.exchange(`AUTH ${READ}\nGET a\nSET a 1\nyDEL a\nGET a\n`),
    `OK\nVALUE 1\nx${forbidden.repeat(2)}VALUE 1\nx`,
  );
  const wrong = await service.exchange(`AUTH ${FULL}x\nGET a\n`);
  assert.equal(wrong, `ERR Unauthorized The token is not one of this service's\n${need}`);
  const answer = await service.exchange("SET a 100000\n");
  assert.match(answer, /^ERR Unauthorized A value may have 16384 bytes/);
});

test("text: too many wrong tokens, and a right one", async () => {
  await using service = await TcpService.start({ access: createAccess() });
  const client = service.connect();
  client.send("AUTH wrong\n".repeat(12));
  client.send(`AUTH ${FULL}\nGET a\n`);
  const lines = client.text.split("\n").map((line) => line.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(lines.slice(9), [
    "ERR Unauthorized",
    "ERR TooManyRequests",
    "ERR TooManyRequests",
    "OK",
    "NOT_FOUND",
    "",
  ]);
});

test("text: AUTH where there is no token", async () => {
  await using service = await TcpService.start();
  assert.match(await service.exchange("AUTH x\nGET a\n"), /^ERR BadCommand .*\nNOT_FOUND\n$/);
});

test("text: with durability of batches, sets are answered at once", async () => {
  await using service = await TcpService.start({}, {
    durability: { bytes: 1 << 20, millis: 60_000 },
  });
  assert.equal(await service.exchange("SET a 1\nxGET a\n"), "OK\nVALUE 1\nx");
});
