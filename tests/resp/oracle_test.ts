/** Random commands of two clients to a real Redis and to sessions: the replies must be the same. */

import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { fuzz } from "../support/fuzzing.ts";
import { ORACLE_MISSING, RedisOracle } from "../support/redis_oracle.ts";
import { RespWorld } from "../support/resp_peer.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { wordsOf } from "../support/resp_text.ts";
import { LAZY } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";
import { RANDOM_KEYS, randomCommand } from "./random_command.ts";

const COMMANDS = 400;

function outsideTransactions(random: SeededRandom): string {
  const key = random.pick(RANDOM_KEYS);
  return random.pick(["multi", `watch ${key}`, `watch ${key}`, "dbsize", "keys nobody", "flushdb"]);
}

testUnless(ORACLE_MISSING, "oracle: random commands of two clients", async () => {
  await using oracle = await RedisOracle.start();
  await fuzz(4, async (random) => {
    await using world = await RespWorld.open({ clock: systemClock, store: { clock: systemClock } });
    const redis = [await oracle.connect(), await oracle.connect(), await oracle.connect()];
    const peers = [world.peer(), world.peer()];
    await redis[0]!.send("flushall");
    const history: string[] = [];
    const isQueueing = [false, false];
    for (let count = 0; count < COMMANDS; count++) {
      const who = random.below(2);
      const command = isQueueing[who]
        ? randomCommand(random)
        : random.pick([() => randomCommand(random), () => outsideTransactions(random)])();
      // A key that does not exist may come and go without being noticed, which Redis would notice.
      const [, watched] = /^watch (.*)/.exec(command) ?? [];
      if (watched !== undefined && await redis[2]!.send(`exists ${watched}`) === ":0") continue;
      const [expected, actual] = [await redis[who]!.send(command), await peers[who]!.send(command)];
      if (command === "multi") isQueueing[who] = true;
      if (command === "exec" || command === "discard") isQueueing[who] = false;
      history.push(`client ${who}: ${command}\n  redis ${expected}\n  cairn ${actual}`);
      assert.equal(actual, expected, `\n${history.slice(-12).join("\n")}`);
    }
    for (const connection of redis) connection.close();
  });
});

testUnless(ORACLE_MISSING, "oracle: sums of random decimal numbers", async () => {
  await using oracle = await RedisOracle.start();
  const redis = await oracle.connect();
  await fuzz(30, async (random) => {
    await using world = await RespWorld.open();
    const peer = world.peer();
    const command = `set sum ${randomDecimal(random)}`;
    await redis.send(command);
    await peer.send(command);
    for (let count = 0; count < 5; count++) {
      const command = `incrbyfloat sum ${randomDecimal(random)}`;
      assert.equal(await peer.send(command), await redis.send(command), command);
    }
  });
});

function randomDecimal(random: SeededRandom): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
  const sign = random.pick(["", "", "-", "+"]);
  const fraction = random.chance(0.7) ? `.${digits(random.below(22))}` : "";
  const exponent = random.chance(0.3) ? `e${random.between(-30, 40)}` : "";
  return sign + digits(random.between(1, 22)) + fraction + exponent;
}

testUnless(ORACLE_MISSING, "oracle: random patterns of keys", async () => {
  await using oracle = await RedisOracle.start();
  const redis = await oracle.connect();
  await using world = await RespWorld.open({ store: { durability: LAZY } });
  const peer = world.peer();
  await redis.send("flushall");
  await fuzz(300, async (random) => {
    const text = (alphabet: string[], length: number) =>
      Array.from({ length }, () => random.pick(alphabet)).join("");
    const key = text(["a", "b", "c", "-", "]", "[", "^", "*", "ü"], random.between(1, 8));
    await redis.send([...wordsOf("set"), encode(key), encode("1")]);
    await peer.send([...wordsOf("set"), encode(key), encode("1")]);
    for (let count = 0; count < 5; count++) {
      // Bytes over 127 in ranges are negative numbers to Redis, and to nobody else.
      const alphabet = [
        "a",
        "b",
        "*",
        "?",
        "[",
        "]",
        "^",
        "-",
        "\\\\",
        "[ab]",
        "[^a]",
        "[a-c]",
      ];
      const pattern = text(alphabet, random.between(0, 7));
      const command = [...wordsOf("keys"), encode(pattern)];
      const [expected, actual] = [await redis.send(command), await peer.send(command)];
      assert.equal(sorted(actual), sorted(expected), pattern);
    }
  });
});

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** An array of strings without spaces in them, in the order of the strings. */
function sorted(reply: string): string {
  return reply.slice(1, -1).split(" ").sort().join(" ");
}
