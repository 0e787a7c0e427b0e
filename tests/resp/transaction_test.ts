/** MULTI, EXEC and WATCH, with others in between. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RespWorld } from "../support/resp_peer.ts";
import { DURABILITIES } from "../support/test_store.ts";

for (const [name, durability] of DURABILITIES) {
  test(`transaction: all of it is one batch, ${name}`, async () => {
    await using world = await RespWorld.open({ store: { durability } });
    const peer = world.peer();
    await peer.expect(["mset a 1 b 2", "+OK"]);
    const feed = world.store.changes({ since: 0 });
    const { version } = world.store.stats();
    assert.deepEqual(
      await peer.pipeline("multi", "incr a", "del b", "incr a", "get a", "exec"),
      ["+OK", "+QUEUED", "+QUEUED", "+QUEUED", "+QUEUED", '[:2 :1 :3 "3"]'],
    );
    assert.equal(world.store.stats().version, version + 3);
    const changes: string[] = [];
    for await (const { op, key, version: at } of feed) {
      if (at > version) changes.push(`${op} ${key}`);
      if (at === version + 3) break;
    }
    assert.deepEqual(changes, ["set a", "del b", "set a"]);
  });

  test(`transaction: a key that is watched and changes, ${name}`, async () => {
    await using world = await RespWorld.open({ store: { durability } });
    const [peer, other] = [world.peer(), world.peer()];
    /** Changes of `k`, which is "5" before; and whether EXEC has to notice. */
    const cases: [command: string, isChange: boolean][] = [
      ["set k 5", true],
      ["append k x", true],
      ["del k", true],
      ["expire k 100", true],
      ["getdel k", true],
      ["rename k elsewhere", true],
      ["rename before k", true],
      ["flushall", true],
      ["mset z 1 k 6", true],
      ["get k", false],
      ["set other 1", false],
      ["set k 6 nx", false],
      ["setnx k 6", false],
      ["expire k 100 xx", false],
      ["incr k x", false],
      ["msetnx k 1 new 2", false],
      ["persist k", false],
      ["getex k persist", false],
      ["getex k", false],
      ["getex k ex 100", true],
      ["rename k k", false],
    ];
    for (const [command, isChange] of cases) {
      for (const who of [peer, other]) {
        await peer.send("flushall");
        await peer.send("mset k 5 before 1");
        await peer.send("watch nobody k");
        await who.send(command);
        const replies = await peer.pipeline("multi", "set done 1", "exec", "exists done");
        assert.deepEqual(replies.slice(2), isChange ? ["nil[]", ":0"] : ["[+OK]", ":1"], command);
      }
    }
  });
}

test("transaction: a change between MULTI and EXEC, and one before WATCH", async () => {
  await using world = await RespWorld.open();
  const [peer, other] = [world.peer(), world.peer()];
  await other.expect(["set k 1", "+OK"]);
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], ["get k", "+QUEUED"]);
  await other.expect(["set k 2", "+OK"]);
  await peer.expect(["exec", "nil[]"], ["multi", "+OK"], ["get k", "+QUEUED"], ["exec", '["2"]']);
});

test("transaction: a watched key that comes into being, and one that never does", async () => {
  await using world = await RespWorld.open();
  const [peer, other] = [world.peer(), world.peer()];
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], ["ping", "+QUEUED"], ["exec", "[+PONG]"]);
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"]);
  await other.expect(["set k 1", "+OK"]);
  await peer.expect(["exec", "nil[]"]);
});

test("transaction: expiry is a change, unless it was before", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["set k 1 px 100", "+OK"], ["watch k", "+OK"], ["multi", "+OK"]);
  world.clock.advance(99);
  await peer.expect(["exec", "[]"], ["watch k", "+OK"], ["multi", "+OK"]);
  world.clock.advance(1);
  await peer.expect(["exec", "nil[]"], ["set k 1 px 100", "+OK"]);
  world.clock.advance(100);
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], ["get k", "+QUEUED"], ["exec", "[nil]"]);
});

test("transaction: what ends the watching", async () => {
  await using world = await RespWorld.open();
  const [peer, other] = [world.peer(), world.peer()];
  for (const [command, reply] of [["unwatch", "+OK"], ["exec", "nil[]"], ["discard", "+OK"]]) {
    await peer.expect(["set k 1", "+OK"], ["watch k", "+OK"]);
    if (command !== "unwatch") await peer.expect(["multi", "+OK"]);
    await other.expect(["set k 2", "+OK"]);
    await peer.expect([command!, reply!], ["multi", "+OK"], ["get k", "+QUEUED"], [
      "exec",
      '["2"]',
    ]);
  }
  // One that was refused ends it too.
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], [
    "get",
    "-ERR wrong number of arguments for 'get' command",
  ]);
  await other.expect(["set k 3", "+OK"]);
  await peer.expect(
    ["exec", "-EXECABORT Transaction discarded because of previous errors."],
    ["multi", "+OK"],
    ["get k", "+QUEUED"],
    ["exec", '["3"]'],
  );
  // Watching once more does not forget the first time.
  await peer.expect(["watch k", "+OK"]);
  await other.expect(["set k 4", "+OK"]);
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], ["exec", "nil[]"]);
});

test("transaction: counters of many clients that watch and try again", async () => {
  await using world = await RespWorld.open();
  let attempts = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    const peer = world.peer();
    for (let done = 0; done < 5;) {
      attempts++;
      await peer.send("watch n");
      const before = Number((await peer.send("get n")).replace(/\D/g, ""));
      const replies = await peer.pipeline("multi", `set n ${before + 1}`, "exec");
      if (replies[2] === "[+OK]") done++;
    }
  }));
  assert(attempts >= 40);
  await world.peer().expect(["get n", '"40"']);
});

test("transaction: an error of one command leaves the others, and nothing of its own", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(
    ["set text abc", "+OK"],
    ["multi", "+OK"],
    ["set early 1", "+QUEUED"],
    ["get early", "+QUEUED"],
    ["incr text", "+QUEUED"],
    ['mset good 1 "\\xff" 2', "+QUEUED"],
    ["exists good", "+QUEUED"],
    ["set n 5", "+QUEUED"],
    ["incr n", "+QUEUED"],
    ["set n 5 ex 0", "+QUEUED"],
    ["get n", "+QUEUED"],
    [
      "exec",
      '[+OK "1" -ERR value is not an integer or out of range ' +
      "-ERR key is not valid UTF-8: encode binary keys as text, for example as hexadecimal " +
      ":0 +OK :6 -ERR invalid expire time in 'set' command \"6\"]",
    ],
    ["exists good", ":0"],
    ["get n", '"6"'],
  );
});

test("transaction: what is over already is not there for the next command either", async () => {
  await using world = await RespWorld.open();
  assert.deepEqual(
    await world.peer().pipeline("multi", "set a 1", "set a 2 exat 1", "get a", "setnx a 3", "exec"),
    ["+OK", "+QUEUED", "+QUEUED", "+QUEUED", "+QUEUED", "[+OK +OK nil :1]"],
  );
});

test("transaction: what is not possible in one says so, and EXEC refuses", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  const commands = ["keys *", "scan 0", "dbsize", "randomkey", "flushall", "flushdb", "hello 3"];
  for (const command of [...commands, "auth x", "bgrewriteaof"]) {
    await peer.expect(
      ["multi", "+OK"],
      [command, "-ERR Command not allowed inside a transaction"],
      ["exec", "-EXECABORT Transaction discarded because of previous errors."],
    );
  }
});

test("transaction: the commands of a closed connection are forgotten, with what they hold", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["watch k", "+OK"], ["multi", "+OK"], ["set k 1", "+QUEUED"]);
  assert.notEqual(world.service.bytesHeld, 0);
  peer.session.close();
  assert.equal(world.service.bytesHeld, 0);
  assert.deepEqual([world.service.clients.size, world.store.size], [0, 0]);
});

test("transaction: QUIT within one ends it", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(["multi", "+OK"], ["set a 1", "+QUEUED"], ["quit", "+OK"]);
  assert.equal(peer.session.isClosing, true);
  peer.session.close();
  await world.peer().expect(["get a", "nil"]);
});
