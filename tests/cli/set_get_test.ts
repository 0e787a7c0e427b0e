import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { cairn, cairnFails, runShell } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Every byte value, and more than a pipe holds at once. */
function manyBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

test("set and get: a text given as argument comes back without an added newline", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  assert.equal((await cairn(["set", "greeting", "hello world", "--db", db])).text, "");
  assert.equal((await cairn(["get", "greeting", "--db", db])).text, "hello world");
});

test("set and get: bytes from standard input come back the same", async () => {
  using directory = new TemporaryDirectory();
  const value = manyBytes(3_000_017);
  for (const args of [["set", "blob"], ["set", "blob", "-"]]) {
    await cairn([...args, "--db", directory.path], { stdin: value });
    assert.deepEqual((await cairn(["get", "blob", "--db", directory.path])).stdout, value);
  }
});

test("set: a slow writer on standard input is waited for", async () => {
  using directory = new TemporaryDirectory();
  const script = '(printf one; sleep 0.3; printf two) | "$CAIRN" set slow --db "$DB"';
  const env = { DB: directory.path };
  assert.equal((await runShell(script, { env })).exitCode, 0);
  assert.equal((await cairn(["get", "slow", "--db", directory.path])).text, "onetwo");
});

test("get: a reader slower than the value gets all of it", async () => {
  using directory = new TemporaryDirectory();
  const value = manyBytes(1_000_000);
  await cairn(["set", "blob", "--db", directory.path], { stdin: value });
  const env = { DB: directory.path };
  const slow = await runShell('"$CAIRN" get blob --db "$DB" | (sleep 0.3; cat)', { env });
  assert.deepEqual(slow.stdout, value);
});

test("get --out: writes the value to a file, and none for a missing key", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  const file = directory.join("out");
  const value = manyBytes(300_000);
  await cairn(["set", "blob", "--db", db], { stdin: value });
  await cairnFails(1, ["get", "other", "--out", file, "--db", db]);
  assert.equal(statSync(file, { throwIfNoEntry: false }), undefined);
  assert.equal((await cairn(["get", "blob", "--out", file, "--db", db])).text, "");
  assert.deepEqual(new Uint8Array(readFileSync(file)), value);
  const nowhere = directory.join("missing", "out");
  const error = await cairnFails(6, ["get", "blob", "--out", nowhere, "--db", db]);
  assert.match(error, /cannot write .*missing\/out: no such file or directory/);
});

test("get --json: text as text, other bytes in base64, with version and expiry", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "text", "\ufeffäöü", ...db]);
  await cairn(["set", "bytes", "--ttl", "1h", ...db], { stdin: new Uint8Array([0xff, 0, 1]) });
  assert.deepEqual(JSON.parse((await cairn(["get", "text", "--json", ...db])).text), {
    key: "text",
    value: "\ufeffäöü",
    version: 1,
  });
  const { expiresAt, ...rest } = JSON.parse((await cairn(["get", "bytes", "--json", ...db])).text);
  assert.deepEqual(rest, { key: "bytes", value: "/wAB", encoding: "base64", version: 2 });
  assert(Math.abs(expiresAt - Date.now() - 3_600_000) < 60_000);
});

test("get: a missing key exits with 1 and names it", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "a", "1", "--db", directory.path]);
  assert.match(await cairnFails(1, ["get", "b", "--db", directory.path]), /there is no key "b" in/);
});

test("set --ttl: the key is gone afterwards", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "soon", "x", "--ttl", "1500ms", ...db]);
  await cairn(["set", "later", "x", "--ttl", "7d", ...db]);
  assert.equal((await cairn(["get", "soon", ...db])).text, "x");
  await new Promise((resolve) => setTimeout(resolve, 1600));
  await cairnFails(1, ["get", "soon", ...db]);
  assert.equal((await cairn(["list", ...db])).text, "later\n");
});

test("set --if-absent and --if-version: write only if the condition holds", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  const set = (...args: string[]) => ["set", "key", ...args, ...db];
  const first = JSON.parse((await cairn(set("one", "--if-absent", "--json"))).text);
  assert.deepEqual(first, { key: "key", version: 1 });
  await cairnFails(1, set("two", "--if-absent"));
  await cairnFails(1, set("two", "--if-version", "7"));
  assert.equal((await cairn(["get", "key", ...db])).text, "one");
  await cairn(set("two", "--if-version", "1"));
  assert.equal((await cairn(["get", "key", ...db])).text, "two");
});

test("set and get: keys of every kind", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  const keys = [
    "-x",
    "--db",
    "--",
    "-",
    "two words",
    "line\nbreak\ttab",
    "café ☕ 🏔️",
    "a/../b",
    "\u0001\u001b[31m",
    "'\"$`\\",
    "k".repeat(65_536),
  ];
  for (const key of keys) await cairn(["set", ...db, "--", key, `value of ${key.slice(0, 99)}`]);
  for (const key of keys) {
    const { text } = await cairn(["get", ...db, "--", key]);
    assert.equal(text, `value of ${key.slice(0, 99)}`);
  }
  const listed = (await cairn(["list", "--json", ...db])).text.trimEnd().split("\n");
  assert.deepEqual(listed.map((line) => JSON.parse(line).key).sort(), [...keys].sort());
});

test("set: an empty value is a value", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "argument", "", ...db]);
  await cairn(["set", "input", ...db], { stdin: "" });
  assert.equal((await cairn(["get", "argument", ...db])).stdout.length, 0);
  assert.equal((await cairn(["get", "input", ...db])).stdout.length, 0);
});

test("options go before the command, after it, or in the environment", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  await cairn([`--db=${db}`, "set", "key", "value"]);
  assert.equal((await cairn(["--db", db, "--json", "list"])).text, '{"key":"key","version":1}\n');
  assert.equal((await cairn(["list", "--json", "--db", db])).text, '{"key":"key","version":1}\n');
  assert.equal((await cairn(["get", "key"], { env: { CAIRN_DB: db } })).text, "value");
  const other = directory.join("other");
  await cairnFails(6, ["get", "key", "--db", other], { env: { CAIRN_DB: db } });
});

test("without --db the store is cairn-data in the working directory", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "key", "value"], { cwd: directory.path });
  assert(statSync(directory.join("cairn-data")).isDirectory());
  assert.equal((await cairn(["get", "key"], { cwd: directory.path })).text, "value");
});
