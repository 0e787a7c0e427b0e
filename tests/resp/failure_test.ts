/** What clients are told when the store cannot do what they want, or nobody could. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { RespService } from "../../lib/server/tcp/resp/resp_service.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { RespPeer, RespWorld } from "../support/resp_peer.ts";
import { LAZY, MemoryLogger, openInMemory } from "../support/test_store.ts";

test("failure: after a failed fsync writes are refused, and reads go on", async () => {
  const fileSystem = new FaultyFileSystem(new MemoryFileSystem());
  await using world = await RespWorld.open({ fileSystem });
  const peer = world.peer();
  await peer.expect(["set a 1", "+OK"], ["watch a", "+OK"]);
  fileSystem.fail = ({ what }) => what === "sync" ? "EIO" : undefined;
  const replies = await peer.pipeline("set a 2", "get a", "incr a", "del a", "multi", "exec");
  for (const reply of replies.slice(0, 4)) assert.match(reply, /^-MISCONF .*EIO/);
  // What was said about the newest state cannot be said, as it is lost.
  assert.deepEqual(replies[4], "+OK");
  fileSystem.heal();
  for (const write of ["set a 3", "incr a", "del a", "expire a 5", "mset a 1", "watch a"]) {
    assert.match(await peer.send(write), /^-MISCONF /, write);
  }
  await peer.expect(["get a", '"1"'], ["mget a", '["1"]'], ["keys *", '["a"]'], ["dbsize", ":1"]);
  await peer.expect(["multi", "+OK"], ["get a", "+QUEUED"], ["exec", '["1"]']);
  assert.match(await peer.send("info persistence"), /aof_last_write_status:err/);
  await peer.expect(["multi", "+OK"], ["set a 4", "+QUEUED"]);
  assert.match(await peer.send("exec"), /^-MISCONF /);
  await world.store.close().catch(() => {});
});

test("failure: a full disk", async () => {
  const fileSystem = new FaultyFileSystem(new MemoryFileSystem());
  await using world = await RespWorld.open({ fileSystem });
  const peer = world.peer();
  await peer.expect(["set a 1", "+OK"]);
  fileSystem.spaceLeft = 0;
  assert.match(await peer.send("set a 2"), /^-MISCONF .*(?:space|full|ENOSPC)/i);
  await peer.expect(["get a", '"1"']);
  await world.store.close().catch(() => {});
});

test("failure: a store that is read only, and one that is closed", async () => {
  const fileSystem = new MemoryFileSystem();
  const writable = await openInMemory({}, fileSystem);
  await writable.set("a", "1");
  await writable.close();
  const store = await openInMemory({ readOnly: true }, fileSystem);
  const peer = new RespPeer(new RespService(store), 1);
  for (const write of ["set a 2", "incr a", "del a", "set a 2 nx", "flushall", "mset a 1"]) {
    assert.match(await peer.send(write), /^-READONLY /, write);
  }
  await peer.expect(["get a", '"1"'], ["exists a", ":1"], ["keys *", '["a"]']);
  await store.close();
  for (const command of ["get a", "set a 2", "incr a", "keys *", "scan 0", "dbsize", "info"]) {
    assert.match(await peer.send(command), /^-\w+ .*closed/, command);
  }
});

test("failure: keys that cannot be", async () => {
  await using world = await RespWorld.open({ store: { keyBytesMax: 10 }, keyBytesMax: 10 });
  const peer = world.peer();
  for (
    const [key, why] of [['"\\xff\\xfe"', "UTF-8"], ['""', "empty"], ["longer-than-ten", "10"]]
  ) {
    const commands = [
      `get ${key}`,
      `set ${key} 1`,
      `set ${key} 1 nx`,
      `set ${key} 1 ex 5`,
      `incr ${key}`,
      `del ${key}`,
      `del a ${key}`,
      `exists ${key}`,
      `mget ${key}`,
      `mset a 1 ${key} 1`,
      `rename a ${key}`,
      `ttl ${key}`,
      `watch ${key}`,
      `getrange ${key} 0 1`,
    ];
    await peer.send("set a 1");
    for (const command of commands) {
      assert.match(await peer.send(command), new RegExp(`^-ERR .*${why}`), command);
      await peer.expect(["get a", '"1"']);
    }
    const replies = await peer.pipeline("multi", ...commands, "set b 2", "exec");
    assert.match(replies.at(-1)!, new RegExp(`^\\[-ERR .*${why}.* \\+OK\\]$`), replies.at(-1));
    await peer.expect([`scan 0 match ${key}`, '["0" []]'], [`keys ${key}`, "[]"], ["get b", '"2"']);
  }
});

test("failure: values that are too long, also those that grow", async () => {
  const valueBytesMax = 1000;
  await using world = await RespWorld.open({ store: { valueBytesMax }, valueBytesMax });
  const peer = world.peer();
  const long = "x".repeat(1001);
  const reply = "-ERR string exceeds maximum allowed size (1000 bytes)";
  const fits = "y".repeat(1000);
  await peer.expect(
    [`set a ${fits}`, "+OK"],
    [`set a ${long} nx`, "nil"],
    [`set a ${long} xx`, reply],
    [`mset b 1 a ${long}`, reply],
    ["append a z", reply],
    ["setrange b 999 xx", reply],
    ["setrange b 536870911 x", reply],
    ["setrange b 9223372036854775807 x", reply],
    ["exists b", ":0"],
    ["strlen a", ":1000"],
    ["setrange a 999 z", ":1000"],
    ["multi", "+OK"],
    ["append a z", "+QUEUED"],
    ["set b 1", "+QUEUED"],
    ["exec", `[${reply} +OK]`],
  );
  assert.match(await peer.send(`set a ${long}`), /^-ERR .*1000/);
});

test("failure: values that are longer than is read at once", async () => {
  await using world = await RespWorld.open({ store: { durability: LAZY } });
  const peer = world.peer();
  const long = "0123456789".repeat(20_000);
  await peer.expect(
    [`mset long ${long} short 1`, "+OK"],
    ["get long", `"${long}"`],
    ["mget long short nobody long", `["${long}" "1" nil "${long}"]`],
    ["getrange long 9 10", '"90"'],
    ["getrange long -3 -1", '"789"'],
    ["strlen long", ":200000"],
    ["append long x", ":200001"],
    ["getrange long x 1", "-ERR value is not an integer or out of range"],
  );
  const replies = await peer.pipeline(
    "get long",
    "set long 1",
    "get long",
    "getdel long",
    "get long",
  );
  assert.deepEqual(replies, [`"${long}x"`, "+OK", '"1"', '"1"', "nil"]);
});

test("failure: what nobody foresaw is logged, and the client learns that it happened", async () => {
  await using world = await RespWorld.open();
  const logger = new MemoryLogger();
  const broken = new Proxy(world.store, {
    get(store, name) {
      if (name === "stat") return () => [].at(0)!["nothing"];
      if (name === "set") return () => Promise.reject(new TypeError("a defect"));
      const value = Reflect.get(store, name, store);
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
  const peer = new RespPeer(new RespService(broken, { logger }), 1);
  const reply = "-ERR an unexpected error; the server's log has it";
  await peer.expect(["get a", reply], ["exists a", reply], ["set a 1", reply], ["ping", "+PONG"]);
  assert.equal(logger.troubles.length, 3);
});
