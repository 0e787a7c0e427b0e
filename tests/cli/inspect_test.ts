import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cairn, cairnFails, runShell, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SEGMENT = join("wal", "0000000001.log");

test("inspect: a segment, one line a frame", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "greeting", "hello", ...db]);
  await cairn(["set", "a\nb", "x", "--ttl", "90s", ...db]);
  await cairn(["del", "greeting", ...db]);
  const { text } = await cairn(["inspect", directory.join(SEGMENT)]);
  const lines = text.trimEnd().split("\n");
  assert.match(lines[0]!, /0000000001\.log: segment, [\d,]+ bytes$/);
  assert.match(lines[1]!, /^ +0 +SEGMENT +LSN 1, fileId 1, compacted false, .*CRC [0-9a-f]{8} ok$/);
  assert.match(text, /^ +\d+ +SET +LSN 1, key "greeting", 5 B, CRC [0-9a-f]{8} ok$/m);
  assert.match(text, /SET_EXPIRING +LSN 2, key "a\\nb", 1 B, expires 20\d\d-\d\d-\d\dT/);
  assert.match(text, /DELETE +LSN 3, key "greeting", CRC/);
  assert.match(text, /SYNC +LSN \d+, durableOffset \d+, ownOffset \d+/);
  assert.doesNotMatch(text, /hello/);
  assert.match((await cairn(["inspect", directory.join(SEGMENT), "--values"])).text, /hello/);
});

test("inspect: as JSON, exact, and limited", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "key", "--db", directory.path], { stdin: new Uint8Array([0xff, 0]) });
  const file = directory.join(SEGMENT);
  const { text } = await cairn(["inspect", file, "--json", "--values"]);
  const items = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(items.slice(0, 2).map(({ kind }) => kind), ["file", "control"]);
  const record = items.find(({ kind }) => kind === "record");
  assert.deepEqual([record.key, record.value, record.encoding, record.valueLength], [
    "key",
    "/wA=",
    "base64",
    2,
  ]);
  const limited = await cairn(["inspect", file, "--json", "--limit", "2"]);
  assert.equal(limited.text, text.split("\n").slice(0, 2).join("\n") + "\n");
  assert.equal((await cairn(["inspect", file, "--limit", "0"])).text, "");
});

test("inspect: damage is shown and passed over, with exit code 0", async () => {
  using directory = new TemporaryDirectory();
  for (const key of ["a", "b", "c"]) {
    await cairn(["set", key, key.repeat(99), "--db", directory.path]);
  }
  const file = directory.join(SEGMENT);
  const bytes = readFileSync(file);
  bytes[bytes.indexOf("bbbb") + 2]! ^= 1;
  writeFileSync(file, bytes);
  const { text } = await cairn(["inspect", file]);
  assert.match(text, /DAMAGE +127 bytes: .*checksum.*; it says op SET, lsn 2, keyLength 1/);
  assert.match(text, /key "c"/);
  assert.deepEqual(new Uint8Array(readFileSync(file)), new Uint8Array(bytes));
});

test("inspect: the other files of a store", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "a", "1", "--db", directory.path]);
  const show = async (name: string) => (await cairn(["inspect", directory.join(name)])).text;
  assert.match(await show("wal/ACTIVE"), /: active, .*\n.*nodeId .*droppedLsn 0.*\n.*fileId 1/);
  assert.match(await show("wal/NODE_ID"), /: nodeId, 37 bytes\n +0 +nodeId [0-9a-f-]{36}\n$/);
  assert.match(await show("LOCK"), /: lock, .*\n +0 +lastHolder \d+\n$/);
});

test("inspect: a file in use, a reader that leaves, and files that are none", async () => {
  using directory = new TemporaryDirectory();
  const store = directory.join("store");
  await using _server = await startServer(store);
  assert.match((await cairn(["inspect", join(store, SEGMENT)])).text, /SEGMENT/);
  const piped = await runShell(`"$CAIRN" inspect "${join(store, SEGMENT)}" | head -n 1`);
  assert.deepEqual([piped.exitCode, piped.stderr], [0, ""]);
  assert.match(await cairnFails(6, ["inspect", directory.join("nothing")]), /no such file/);
  assert.match(await cairnFails(6, ["inspect", store]), /directory/);
  assert.match(await cairnFails(2, ["inspect"]), /missing required argument/);
  writeFileSync(directory.join("picture"), "no store");
  assert.match((await cairn(["inspect", directory.join("picture")])).text, /no file of Cairn's/);
});

test("inspect: a reader that leaves in the middle is no error", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.join("big");
  await cairn(["set", "k", "--db", directory.join("s")], { stdin: "x".repeat(3 << 20) });
  writeFileSync(file, readFileSync(join(directory.join("s"), SEGMENT)));
  const script = `"$CAIRN" inspect --values "${file}" | head -c 100 >/dev/null`;
  const { exitCode, stderr } = await runShell(script);
  assert.deepEqual([exitCode, stderr], [0, ""]);
});
