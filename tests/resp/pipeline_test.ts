/** What a client sees while its writes, and those of others, are not done yet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { Reply } from "../../lib/server/tcp/resp/reply.ts";
import { RespService } from "../../lib/server/tcp/resp/resp_service.ts";
import type { Session } from "../../lib/server/tcp/resp/session.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { SessionQueue } from "../support/session_queue.ts";
import { textOf, wordsOf } from "../support/resp_text.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory, turn, until } from "../support/test_store.ts";

/** A store whose writes are done when `finish` is called, and not before. */
class HeldWorld implements AsyncDisposable {
  readonly clock: TestClock;
  readonly store: KvStore;
  readonly service: RespService;
  #clients = 0;

  private constructor(clock: TestClock, store: KvStore) {
    this.clock = clock;
    this.store = store;
    this.service = new RespService(store, { clock });
  }

  static async open(): Promise<HeldWorld> {
    const clock = new TestClock({ manualDefer: true });
    return new HeldWorld(clock, await openInMemory({ clock }));
  }

  client(): Session {
    const id = ++this.#clients;
    return this.service.open({ id, remoteAddress: "10.0.0.1:1", localAddress: "10.0.0.2:2" });
  }

  /** Lets every write that is under way come to its end. */
  async finish(): Promise<void> {
    await until("nothing is in flight", () => {
      this.clock.runDeferred();
      return this.store.stats().writesInFlight === 0;
    });
    for (let turns = 0; turns < 5; turns++) {
      await turn();
      this.clock.runDeferred();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.store.close();
    await this.finish().catch(() => {});
    await closed;
  }
}

/** What a client has sent, and which replies are known so far. */
class Sent {
  readonly replies: (string | undefined)[] = [];
  readonly all: Promise<unknown>;

  constructor(session: Session, ...commands: string[]) {
    const queue = new SessionQueue(session);
    this.all = Promise.all(commands.map(async (command, index) => {
      this.replies.push(undefined);
      const result: Reply | Promise<Reply> = queue.execute(wordsOf(command));
      this.replies[index] = result instanceof Promise ? undefined : textOf(result);
      this.replies[index] = textOf(await result);
    }));
  }
}

async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) await turn();
}

test("pipeline: no reply that rests on a write comes before it is done", async () => {
  await using world = await HeldWorld.open();
  const sent = new Sent(
    world.client(),
    "get a",
    "set a 1",
    "get a",
    "incr a",
    "get a",
    "strlen a",
    "exists a b",
    "set a 9",
    "mget a b",
    "ttl a",
    "set a x nx",
    "getrange a 0 0",
    "incr a x",
    "expire nobody 5",
    "ping",
  );
  await turns();
  const early = [
    "nil",
    ...Array(11).fill(undefined),
    "-ERR wrong number of arguments for 'incr' command",
  ];
  assert.deepEqual(sent.replies, [...early, undefined, "+PONG"]);
  await world.finish();
  await sent.all;
  assert.deepEqual(sent.replies, [
    "nil",
    "+OK",
    '"1"',
    ":2",
    '"2"',
    ":1",
    ":1",
    "+OK",
    '["9" nil]',
    ":-1",
    "nil",
    '"9"',
    "-ERR wrong number of arguments for 'incr' command",
    ":0",
    "+PONG",
  ]);
});

test("pipeline: a transaction that only reads sees the writes before it", async () => {
  await using world = await HeldWorld.open();
  const sent = new Sent(world.client(), "set a 1", "multi", "get a", "exec", "set a 2");
  await turns();
  assert.deepEqual(sent.replies, [undefined, "+OK", "+QUEUED", undefined, undefined]);
  await world.finish();
  await sent.all;
  assert.deepEqual(sent.replies, ["+OK", "+OK", "+QUEUED", '["1"]', "+OK"]);
});

test("pipeline: other clients see a write when it is done", async () => {
  await using world = await HeldWorld.open();
  const [writer, reader] = [world.client(), world.client()];
  const written = new Sent(writer, "set a 1");
  const before = new Sent(
    reader,
    "get a",
    "exists a",
    "dbsize",
    "strlen a",
    "multi",
    "get a",
    "exec",
  );
  await turns();
  assert.deepEqual(before.replies, ["nil", ":0", ":0", ":0", "+OK", "+QUEUED", "[nil]"]);
  assert.deepEqual(written.replies, [undefined]);
  await world.finish();
  const after = new Sent(reader, "get a", "dbsize");
  assert.deepEqual([written.replies, after.replies], [["+OK"], ['"1"', ":1"]]);
});

test("pipeline: a change that rests on the write of another waits for that", async () => {
  await using world = await HeldWorld.open();
  const [first, second] = [world.client(), world.client()];
  const sets = new Sent(first, "set a 1");
  const rests = new Sent(second, "set a 2 nx", "setnx a 2", "incr a", "renamenx nobody a");
  await turns();
  assert.deepEqual(rests.replies, [undefined, undefined, undefined, undefined]);
  await world.finish();
  await rests.all;
  assert.deepEqual(sets.replies, ["+OK"]);
  assert.deepEqual(rests.replies, ["nil", ":0", ":2", "-ERR no such key"]);
});

test("pipeline: what looks at all keys is in its place among the writes", async () => {
  await using world = await HeldWorld.open();
  const sent = new Sent(
    world.client(),
    "set a 1",
    "keys *",
    "set b 2",
    "dbsize",
    "scan 0",
    "set c 3",
    "randomkey",
    "flushall",
    "set d 4",
    "keys *",
    "echo end",
  );
  await turns();
  assert.deepEqual(sent.replies, Array(11).fill(undefined));
  let turnsLeft = 1000;
  while (sent.replies.includes(undefined) && turnsLeft-- > 0) await world.finish();
  await sent.all;
  const random = sent.replies.splice(6, 1)[0]!;
  assert(['"a"', '"b"', '"c"'].includes(random), random);
  assert.deepEqual(sent.replies, [
    "+OK",
    '["a"]',
    "+OK",
    ":2",
    '["0" ["a" "b"]]',
    "+OK",
    "+OK",
    "+OK",
    '["d"]',
    '"end"',
  ]);
});

test("pipeline: writes of a pipeline, and of many clients, share an fsync", async () => {
  await using world = await HeldWorld.open();
  const syncs = world.store.stats().syncs;
  const all = Array.from(
    { length: 8 },
    () => new Sent(world.client(), "incr n", "incr n", "append s x"),
  );
  await world.finish();
  await Promise.all(all.map((sent) => sent.all));
  assert.deepEqual(new Sent(world.client(), "get n", "strlen s").replies, ['"16"', ":8"]);
  assert.equal(world.store.stats().syncs - syncs, 1);
});

test("pipeline: what asks only whether keys exist, and until when, reads no values", async () => {
  const fs = new FaultyFileSystem(new MemoryFileSystem());
  await using world = await RespWorld.open({ fileSystem: fs });
  const peer = world.peer();
  await peer.expect(["set a 12345", "+OK"], ["set b 1 ex 100", "+OK"]);
  fs.fail = ({ what }) => what === "read" ? "EIO" : undefined;
  const replies = await peer.pipeline(
    "incr n",
    "exists a b c",
    "strlen a",
    "ttl b",
    "ttl a",
    "type a",
    "expire c 100",
    "setnx a x",
    "watch a b",
  );
  assert.deepEqual(replies, [":1", ":2", ":5", ":100", ":-1", "+string", ":0", ":0", "+OK"]);
  fs.heal();
});
