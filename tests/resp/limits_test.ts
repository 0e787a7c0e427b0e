/** What one client, and all of them together, may make the server hold. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  RESP_BYTES_HELD_MAX,
  RESP_MULTI_COMMANDS_MAX,
  RESP_NAME_BYTES_MAX,
} from "../../lib/limits.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { textOf, wordsOf } from "../support/resp_text.ts";
import { LAZY } from "../support/test_store.ts";
import { valueOf } from "../server/prometheus_text.ts";
import { command } from "../tcp/stub_session.ts";
import { TcpService } from "../tcp/tcp_service.ts";

const MIB = 1 << 20;

test("limits: commands of a transaction", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["multi", "+OK"]);
  const args = wordsOf("get a");
  for (let count = 0; count < RESP_MULTI_COMMANDS_MAX; count++) peer.session.execute(args);
  assert.match(await peer.send("get a"), /^-ERR a transaction holds at most 100000 commands/);
  await peer.expect(["exec", "-EXECABORT Transaction discarded because of previous errors."]);
  assert.equal(world.service.bytesHeld, 0);
});

test("limits: bytes that transactions and watched keys hold together", async () => {
  await using world = await RespWorld.open();
  const [first, second, third] = [world.peer(), world.peer(), world.peer()];
  const value = new Uint8Array(16 << 20);
  const set = (peer: typeof first) => peer.send([...wordsOf("set a"), value]);
  await first.expect(["multi", "+OK"]);
  await second.expect(["multi", "+OK"]);
  const room = RESP_BYTES_HELD_MAX / value.length - 1;
  for (let count = 0; count < room; count++) {
    assert.equal(await set(count % 2 === 0 ? first : second), "+QUEUED");
  }
  assert.match(await set(first), /^-ERR transactions hold too many bytes/);
  await first.expect(["exec", "-EXECABORT Transaction discarded because of previous errors."]);
  // What one has given back another may have.
  assert.equal(await set(second), "+QUEUED");
  second.session.close();
  assert.equal(world.service.bytesHeld, 0);
  const key = "k".repeat(60_000);
  for (let count = 0; count < 100; count++) await third.send(`watch ${key}${count} ${key}${count}`);
  const held = world.service.bytesHeld;
  assert(held > 100 * 60_000 && held < 101 * 61_000, `${held} bytes`);
  await third.expect(["unwatch", "+OK"]);
  assert.equal(world.service.bytesHeld, 0);
});

test("limits: bytes of values that one command or transaction reads or writes", async () => {
  const valueBytesMax = 16 << 20;
  await using world = await RespWorld.open({
    store: { valueBytesMax, durability: LAZY },
    valueBytesMax,
  });
  await world.store.set("long", new Uint8Array(valueBytesMax));
  const peer = world.peer();
  const tooMany = `mget${" long".repeat(17)}`;
  // Told by their lengths, before any of them is read.
  await peer.expect([
    tooMany,
    "-ERR values are too long together for one command: use several",
  ]);
  await peer.expect(["multi", "+OK"], ["set done 1", "+QUEUED"]);
  for (let count = 0; count < 20; count++) await peer.send("append long x");
  for (let count = 0; count < 20; count++) await peer.send("get long");
  const errors = await peer.send("exec").then((reply) => reply.match(/-ERR [^-]*/g)!);
  // The first ones fail for another reason, and each has read the value for it.
  assert.match(errors[0]!, /exceeds maximum/);
  assert.match(errors.at(-1)!, /too long together/);
  await peer.expect(["get done", '"1"'], ["strlen long", `:${valueBytesMax}`]);
});

for (
  const [where, before] of [
    ["alone", ""],
    ["behind a write", command("SET", "a", "1")],
    ["behind a look at all keys", command("SET", "a", "1") + command("DBSIZE")],
    ["behind a long value", command("GET", "long")],
  ] as const
) {
  for (const name of ["GET", "MGET", "GETRANGE"]) {
    test(`limits: long values that a pipeline asks for with ${name} ${where}`, async () => {
      await using service = await TcpService.start();
      const value = new Uint8Array(MIB).fill(120);
      await service.store.set("long", value);
      await service.store.set("short", value.subarray(0, 60_000));
      const client = service.connect();
      client.room = 0;
      const range = name === "GETRANGE" ? ["0", "-1"] : [];
      const pair = command(name, "long", ...range) + command(name, "short", ...range);
      client.send(before + pair.repeat(20) + command("PING"));
      for (let round = 0; round < 10; round++) await service.settle();
      const unsent = valueOf(await service.scrape(), "cairn_tcp_unsent_bytes");
      assert(unsent > 0 && unsent < 3 * MIB, `${unsent} bytes`);
      client.room = Infinity;
      while (!client.text.endsWith("+PONG\r\n")) {
        client.take(Infinity);
        await service.settle();
      }
      const expected = 20 * (value.length + 60_000);
      assert(client.text.length > expected && client.text.length < expected + 2 * MIB);
    });
  }
}

test("limits: a reply that nobody takes any more holds nothing", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["mset a 1 b 2", "+OK"]);
  const reply = await peer.session.execute(wordsOf("keys *"));
  assert.notEqual(world.service.bytesHeld, 0);
  peer.session.close();
  assert.equal(world.service.bytesHeld, 0);
  assert.equal(textOf(reply), '["a" "b"]');
  assert.equal(world.service.bytesHeld, 0);
});

test("limits: names", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  const name = "n".repeat(RESP_NAME_BYTES_MAX);
  await peer.expect(
    [`client setname ${name}`, "+OK"],
    [`client setname ${name}x`, `-ERR Client names cannot be longer than ${name.length} bytes.`],
    [
      `client setinfo lib-name ${name}x`,
      `-ERR lib-name cannot be longer than ${name.length} bytes.`,
    ],
    ["client getname", `"${name}"`],
    ["client setinfo lib-ver 1.2.3", "+OK"],
    ["client setinfo other 1", "-ERR Unrecognized option 'other'"],
    ["client setinfo lib-name", "-ERR wrong number of arguments for 'client|setinfo' command"],
  );
});
