/** The table of commands: against Redis, against its documentation, and as clients ask for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_TABLE } from "../../lib/server/tcp/resp/command_table.ts";
import { readText, tableUnder } from "../docs/markdown.ts";
import { ORACLE_MISSING, RedisOracle } from "../support/redis_oracle.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { testUnless } from "../support/test_unless.ts";

const names = COMMAND_TABLE.all.map(({ name }) => name);

test("commands: each is found in whichever case, and no other", () => {
  const encoder = new TextEncoder();
  for (const command of COMMAND_TABLE.all) {
    for (const name of [command.name, command.name.toUpperCase()]) {
      assert.equal(COMMAND_TABLE.find(encoder.encode(name)), command);
    }
    // Bytes that differ from a letter by the bit that tells its case.
    const odd = encoder.encode(command.name).map((byte) => byte & ~0x60);
    assert.equal(COMMAND_TABLE.find(odd), undefined);
    assert.equal(COMMAND_TABLE.find(encoder.encode(`${command.name}x`)), undefined);
    assert.equal(COMMAND_TABLE.find(encoder.encode(`${command.name.slice(0, -1)}!`)), undefined);
  }
  assert.equal(COMMAND_TABLE.find(new Uint8Array(0)), undefined);
  assert.equal(new Set(names).size, names.length);
});

test("commands: all that there shall be", () => {
  const promised =
    "ping echo hello auth select quit client command config info dbsize get set setnx " +
    "setex psetex getset getdel getex mget mset msetnx append strlen getrange setrange incr decr " +
    "incrby decrby incrbyfloat del unlink exists type touch keys scan randomkey rename renamenx " +
    "expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist flushdb flushall " +
    "multi exec discard watch unwatch bgrewriteaof";
  assert.deepEqual(names.toSorted(), promised.split(" ").sort());
});

test("protocol.md: the table of Redis commands is that of the code", () => {
  const rows = tableUnder(readText("docs/protocol.md"), "Redis commands");
  assert.deepEqual(
    rows.map(({ command, "what it does": summary }) => [
      command!.split(" ")[0]!.toLowerCase(),
      summary,
    ]),
    COMMAND_TABLE.all.map(({ name, summary }) => [name, summary]),
  );
});

testUnless(
  ORACLE_MISSING,
  "commands: arity, places of keys and kind are those of Redis",
  async () => {
    await using oracle = await RedisOracle.start();
    const redis = await oracle.connect();
    await using world = await RespWorld.open();
    const peer = world.peer();
    for (const { name, flags } of COMMAND_TABLE.all) {
      const [expected, actual] = [
        await redis.send(`command info ${name}`),
        await peer.send(`command info ${name}`),
      ];
      const places = /^\[\["\w+" :-?\d+/;
      assert.equal(places.exec(actual)?.[0], places.exec(expected)?.[0]);
      const keys = /\] (:-?\d+ :-?\d+ :-?\d+) \[/;
      assert.equal(keys.exec(actual)?.[1], keys.exec(expected)?.[1], name);
      const kinds = /^\[\["\w+" :-?\d+ \[([^\]]*)\]/.exec(expected)![1]!.split(" ");
      for (const flag of ["write", "readonly", "fast", "no_auth", "admin"] as const) {
        assert.equal(flags.includes(flag), kinds.includes(`+${flag}`), `${name}: ${flag}`);
      }
    }
  },
);

test("commands: as clients ask for them", async () => {
  await using world = await RespWorld.open();
  const peer = world.peer();
  await peer.expect(
    ["command count", `:${names.length}`],
    ["command list", `[${names.map((name) => `"${name}"`).join(" ")}]`],
    ["command list filterby aclcat transaction", '["multi" "exec" "discard" "watch" "unwatch"]'],
    ["command list filterby module x", "[]"],
    [
      "command info get nope",
      '[["get" :2 [+fast +readonly] :1 :1 :1 [+@read +@string +@fast] [] [] []] nil]',
    ],
  );
  assert.equal(await peer.send("command"), await peer.send("command info"));
  await peer.send("hello 3");
  await peer.expect(
    [
      "command docs get nope",
      '{"get" {"summary" "Returns the value of a key." "since" "1.0.0" "group" "string"}}',
    ],
    [
      "command info get nope",
      '[["get" :2 (+fast +readonly) :1 :1 :1 (+@read +@string +@fast) () () ()] nil]',
    ],
    ['command getkeys set "\\xff" 1', '["\\xff"]'],
  );
});

test("info: sections by name, and what clients look for", async () => {
  await using world = await RespWorld.open({ version: "1.2.3" });
  const peer = world.peer();
  await peer.send("set a 1");
  await peer.send("get a");
  await peer.send("get b");
  await peer.send("nonsense");
  const linesOf = async (sections: string) =>
    (await peer.send(`info ${sections}`)).slice(1, -1).split("\\x0d\\x0a");
  const all = await linesOf("");
  const headings = all.filter((line) => line.startsWith("# "));
  assert.deepEqual(
    headings,
    [
      "Server",
      "Clients",
      "Memory",
      "Persistence",
      "Stats",
      "Replication",
      "CPU",
      "Cluster",
      "Keyspace",
    ]
      .map((name) => `# ${name}`),
  );
  for (
    const line of [
      "redis_version:7.0.15",
      "cairn_version:1.2.3",
      "redis_mode:standalone",
      "connected_clients:1",
      "loading:0",
      "aof_enabled:1",
      "aof_last_write_status:ok",
      "role:master",
      "cluster_enabled:0",
      "total_commands_processed:5",
      "keyspace_hits:1",
      "keyspace_misses:1",
      "total_error_replies:1",
      "db0:keys=1,expires=0,avg_ttl=0",
    ]
  ) assert(all.includes(line), line);
  assert.deepEqual(await linesOf("replication"), [
    "# Replication",
    "role:master",
    "connected_slaves:0",
    "",
  ]);
  assert.deepEqual((await linesOf("KEYSPACE cluster")).filter((line) => line.startsWith("#")), [
    "# Cluster",
    "# Keyspace",
  ]);
  assert.equal(await peer.send("info nonsense"), '""');
  await peer.send("set passing 1 ex 100");
  assert.deepEqual(await linesOf("keyspace"), [
    "# Keyspace",
    "db0:keys=2,expires=1,avg_ttl=0",
    "",
  ]);
  for (const word of ["all", "default", "everything"]) {
    assert.equal((await linesOf(word)).length, all.length, word);
  }
  await peer.expect(["config resetstat", "+OK"]);
  assert((await linesOf("stats")).includes("total_commands_processed:1"));
});

test("clients: who is there, and what each has done last", async () => {
  await using world = await RespWorld.open();
  const [first, second] = [world.peer(), world.peer()];
  await first.expect(["client setname one", "+OK"], ["client id", ":1"], ["multi", "+OK"]);
  await first.expect(["get a", "+QUEUED"]);
  world.clock.advance(5000);
  await second.send("hello 3");
  const lines = (await second.send("client list")).slice(2, -1).split("\\x0a").filter(Boolean);
  assert.equal(lines.length, 2);
  assert.match(
    lines[0]!,
    /^id=1 addr=127\.0\.0\.1:40001 .* name=one age=5 idle=5 flags=x .* multi=1 cmd=get .* resp=2 /,
  );
  assert.match(lines[1]!, /^id=2 .* name= age=5 idle=0 flags=N .* multi=-1 cmd=client .* resp=3 /);
  assert.equal(await second.send("client list id 2 99"), `="${lines[1]}\\x0a"`);
  assert.equal(await second.send("client list type normal"), await second.send("client list"));
  first.session.close();
  assert.equal((await second.send("client list")).split("id=").length - 1, 1);
});

test("commands: errors show what was sent, whatever script it is in", async () => {
  await using world = await RespWorld.open();
  await world.peer().expect(
    ["client größe", "-ERR unknown subcommand 'größe'. Try CLIENT HELP."],
    ["client list type größe", "-ERR Unknown client type 'größe'"],
    ["client setinfo größe x", "-ERR Unrecognized option 'größe'"],
    ["config set größe 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'größe'"],
    ["hello 3 größe", "-ERR Syntax error in HELLO option 'größe'"],
    ["expire a 1 größe", "-ERR Unsupported option größe"],
  );
});
