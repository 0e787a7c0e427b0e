/** Transcripts are answered as they say, and where there is a Redis, by that as well. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { ORACLE_MISSING, RedisOracle } from "../support/redis_oracle.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { DURABILITIES } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";
import { differences, TRANSCRIPTS } from "./transcript.ts";

for (const [name, exchanges] of TRANSCRIPTS) {
  for (const [kind, durability] of DURABILITIES) {
    test(`transcript: ${name}, ${kind}`, async () => {
      // Some times of day are in there, all of them far away.
      const store = { clock: systemClock, durability };
      await using world = await RespWorld.open({ clock: systemClock, store });
      const peer = world.peer();
      assert.equal(await differences(exchanges, (command) => peer.send(command)), "");
    });
  }

  test(`transcript: ${name}, with all commands sent at once`, async () => {
    await using world = await RespWorld.open({
      clock: systemClock,
      store: { clock: systemClock },
    });
    const peer = world.peer();
    const replies = await peer.pipeline(...exchanges.map(({ command }) => command));
    assert.equal(await differences(exchanges, () => Promise.resolve(replies.shift()!)), "");
  });
}

testUnless(ORACLE_MISSING, "transcript: Redis answers all of them so", async () => {
  await using oracle = await RedisOracle.start();
  for (const [name, exchanges] of TRANSCRIPTS) {
    const redis = await oracle.connect();
    await redis.send("flushall");
    assert.equal(await differences(exchanges, (command) => redis.send(command)), "", name);
  }
});
