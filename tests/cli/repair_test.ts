import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  assertOneLineError,
  cairn,
  cairnFails,
  runCairn,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

async function withKeys(directory: TemporaryDirectory): Promise<string> {
  const store = directory.join("store");
  for (const key of ["a", "b", "c"]) await cairn(["set", key, key.repeat(1000), "--db", store]);
  return store;
}

/** Changes a byte within `text` in the first segment. */
function damage(store: string, text: string): void {
  const file = join(store, "wal", "0000000001.log");
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  assert(at >= 0);
  bytes[at + (text.length >> 1)]! ^= 1;
  writeFileSync(file, bytes);
}

/** All files of a store, as text that can be compared. */
function contents(store: string): string[] {
  return readdirSync(store, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "LOCK")
    .map((entry) => join(entry.parentPath, entry.name)).sort()
    .map((path) => `${path} ${readFileSync(path, "base64")}`);
}

test("repair: a sound store, with exit code 0", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  const out = directory.join("new");
  const { text } = await cairn(["repair", "--db", store, "--out", out]);
  assert.match(
    text,
    /^Salvaged 3 keys into .*: 3 records read in 1 segment, .* newest version 3\n$/,
  );
  for (const key of ["a", "b", "c"]) {
    assert.equal((await cairn(["get", key, "--db", out])).text, key.repeat(1000));
  }
  assert.match((await cairn(["verify", "--db", out])).text, /^Sound/);
});

test("repair: a damaged store, with exit code 4, a full report and an untouched source", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  damage(store, "b".repeat(100));
  const before = contents(store);
  const out = directory.join("new");
  const result = await runCairn(["repair", "--db", store, "--out", out]);
  assertOneLineError(result, 4);
  assert.match(result.text, /0000000001\.log, bytes \d+ to \d+: .*checksum.* \(1 record lost\)\n/);
  assert.match(result.text, /^Salvaged 2 keys/m);
  assert.deepEqual(contents(store), before);
  assert.equal((await cairn(["list", "--db", out])).text, "a\nc\n");
  const json = await runCairn(["repair", "--db", store, "--out", directory.join("2"), "--json"]);
  assertOneLineError(json, 4);
  const report = JSON.parse(json.text);
  assert.deepEqual([report.complete, report.keys, report.lost.length], [false, 2, 1]);
  assert.equal(report.lost[0].recordsLost, 1);
});

test("repair: without ACTIVE, from a copy, with versions kept", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  const copy = directory.join("copy");
  cpSync(store, copy, { recursive: true });
  unlinkSync(join(copy, "wal", "ACTIVE"));
  const out = directory.join("new");
  const { text } = await cairn(["repair", "--db", copy, "--out", out]);
  assert.match(text, /^note: .*ACTIVE is missing/m);
  assert.equal(
    (await cairn(["list", "--json", "--db", out])).text,
    (await cairn(["list", "--json", "--db", store])).text,
  );
});

test("repair: names in the report cannot reach the terminal", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  damage(store, "b".repeat(100));
  const odd = directory.join("odd\x1b[31m");
  cpSync(store, odd, { recursive: true });
  const result = await runCairn(["repair", "--db", odd, "--out", directory.join("new")]);
  assert.equal(result.exitCode, 4);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(result.text + result.stderr, /\x1b/);
});

test("repair: refuses what it must not touch, and says why", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  const repair = (...args: string[]) => ["repair", "--db", store, ...args];
  assert.match(await cairnFails(2, repair()), /--out/);
  assert.match(await cairnFails(2, repair("--out", store)), /only read|not empty/);
  mkdirSync(directory.join("full"));
  writeFileSync(directory.join("full", "notes"), "");
  assert.match(await cairnFails(2, repair("--out", directory.join("full"))), /not empty/);
  const missing = ["repair", "--db", directory.join("no"), "--out", directory.join("x")];
  assert.match(await cairnFails(6, missing), /no store/);
});

test("repair: refuses a store in use, but not a copy of it", async () => {
  using directory = new TemporaryDirectory();
  const store = await withKeys(directory);
  await using _server = await startServer(store);
  const out = directory.join("new");
  assert.match(await cairnFails(5, ["repair", "--db", store, "--out", out]), /copy the directory/);
  const copy = directory.join("copy");
  cpSync(store, copy, { recursive: true });
  await cairn(["repair", "--db", copy, "--out", out]);
  assert.equal((await cairn(["list", "--db", out])).text, "a\nb\nc\n");
});
