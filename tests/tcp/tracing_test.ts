/** Spans of commands that come by TCP. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { Sdk } from "../support/tracing_sdk.ts";
import { command } from "./stub_session.ts";
import { TcpService } from "./tcp_service.ts";

test("tracing: a span for each command, and below it those of the store's operations", async () => {
  using sdk = new Sdk();
  await using service = await TcpService.start();
  const client = service.connect();
  client.send("SET a 1\n1");
  client.send(command("SET", "b", "2") + command("GET", "b") + command("INCR", "b", "x"));
  await service.settle();
  await service.settle();
  assert.match(client.text, /^OK\n\+OK\r\n\$1\r\n2\r\n-ERR wrong number.*\r\n$/);
  const commands = sdk.spans().filter(({ kind }) => kind === SpanKind.SERVER);
  const operations = sdk.spans().filter(({ kind }) => kind !== SpanKind.SERVER);
  assert.deepEqual(commands.map(({ name }) => name), ["SET", "SET", "GET", "INCR"]);
  const common = {
    "db.system.name": "cairn",
    "network.transport": "tcp",
    "client.address": "192.0.2.1",
  };
  assert.deepEqual({ ...commands[0]!.attributes }, {
    ...common,
    "db.operation.name": "SET",
    "network.protocol.name": "text",
  });
  assert.deepEqual({ ...commands[3]!.attributes }, {
    ...common,
    "db.operation.name": "INCR",
    "network.protocol.name": "resp",
    "error.type": "reply",
  });
  const parents = commands.slice(0, 3).map((span) => span.spanContext().spanId);
  assert.deepEqual(operations.map((span) => span.parentSpanContext?.spanId), parents);
});

test("tracing: a command whose client leaves before its reply has a span nevertheless", async () => {
  using sdk = new Sdk();
  await using service = await TcpService.start();
  const client = service.connect();
  client.send(command("SET", "a", "1"));
  client.leave();
  await service.settle();
  assert.deepEqual(sdk.spans().map(({ name }) => name).sort(), ["SET", "cairn set"]);
});

test("tracing: without an SDK, the usual commands take the shortest way", async () => {
  await using service = await TcpService.start();
  const { tracing } = service.telemetry;
  tracing.beginCommand = () => assert.fail("nobody wants spans");
  assert.equal(await service.exchange(command("SET", "a", "1") + "GET a\n"), "+OK\r\nVALUE 1\n1");
});
