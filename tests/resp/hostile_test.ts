/** Commands that nobody would send. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyEncoder } from "../../lib/server/tcp/resp/reply.ts";
import { fuzz } from "../support/fuzzing.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { textOf, wordsOf } from "../support/resp_text.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { LAZY } from "../support/test_store.ts";

const WORDS =
  "nx xx get ex px exat pxat keepttl persist gt lt match count type string auth setname " +
  "default 0 1 -1 3 9223372036854775807 -9223372036854775808 1e400 0.1 * ?[ \\ a b key async list id " +
  "info docs getkeys filterby pattern help default all";

function randomArgument(random: SeededRandom): Uint8Array {
  if (random.chance(0.8)) return wordsOf(random.pick(WORDS.split(" ")))[0]!;
  return random.bytes(random.pick([0, 1, 5, 300]));
}

test("hostile: any command with any arguments has one reply, and nothing throws", async () => {
  await fuzz(20, async (random) => {
    await using world = await RespWorld.open({
      store: { durability: random.pick([LAZY, "immediate"]) },
    });
    const names = world.service.commands.all.map(({ name }) => name);
    const peers = [world.peer(), world.peer()];
    const replies: Promise<string>[] = [];
    for (let count = 0; count < 300; count++) {
      const name = random.chance(0.97)
        ? wordsOf(random.chance(0.5) ? random.pick(names) : random.pick(names).toUpperCase())[0]!
        : random.bytes(random.below(40));
      const args = Array.from({ length: random.below(6) }, () => randomArgument(random));
      replies.push(random.pick(peers).send([name, ...args]));
      if (random.chance(0.1)) world.clock.advance(random.below(5000));
      if (random.chance(0.05)) await replies.at(-1);
    }
    for (const reply of await Promise.all(replies)) {
      assert.notEqual(reply, "");
      assert(!reply.includes("unexpected error"), reply);
    }
    for (const peer of peers) peer.session.close();
    assert.equal(world.service.bytesHeld, 0);
  });
});

test("hostile: a reply does not change when what it was made of is changed later", async () => {
  await using world = await RespWorld.open();
  const { session } = world.peer();
  const execute = async (command: string) => {
    const args = wordsOf(command);
    const result = session.execute(args);
    for (const arg of args) arg.fill(0x58);
    return textOf(await result);
  };
  assert.equal(await execute("echo hello"), '"hello"');
  assert.equal(await execute("ping hello"), '"hello"');
  assert.equal(await execute("set a value"), "+OK");
  const reading = session.execute(wordsOf("get a"));
  await execute("set a other");
  assert.equal(textOf(await reading), '"value"');
  assert.equal(
    await execute("nonsense word"),
    "-ERR unknown command 'nonsense', with args beginning with: 'word' ",
  );
});

test("hostile: an encoder that takes what is encoded already gets it in one piece", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["mset a 1 grüezi 2", "+OK"]);
  const reply = await peer.session.execute(wordsOf("keys *"));
  const given: string[] = [];
  const encoder = {
    array: (length: number) => given.push(`array ${length}`),
    bulk: (value: Uint8Array | string) => given.push(`bulk ${value}`),
    encoded: (bytes: Uint8Array) => given.push(new TextDecoder().decode(bytes)),
  } as unknown as ReplyEncoder;
  reply(encoder);
  assert.deepEqual(given, ["array 2", "$1\r\na\r\n$7\r\ngrüezi\r\n"]);
});
