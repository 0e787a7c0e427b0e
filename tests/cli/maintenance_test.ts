import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import config from "../../deno.json" with { type: "json" };
import { ACTIVE_UNFINISHED } from "../../lib/format/active.ts";
import { cairn, cairnFails, runCairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("version: says what it was built from, in text and JSON", async () => {
  const { text } = await cairn(["version"]);
  assert.match(text, /^cairn \S+ \(commit \S+, bun \d\S+, \w+-\w+\)\n$/);
  const { version, commit } = JSON.parse((await cairn(["version", "--json"])).text);
  assert.equal(version, config.version);
  assert.match(commit, /^([0-9a-f]{7,}(-modified)?|unknown)$/);
  assert.equal((await cairn(["--version"])).text, text);
});

test("help: lists every command, explains each, and goes to standard output", async () => {
  const { text } = await cairn(["help"]);
  const commands = ["serve", "set", "get", "del", "list", "stats", "compact", "verify", "version"];
  for (const command of commands) {
    assert.match(text, new RegExp(`^  ${command}\\b`, "m"));
    const help = (await cairn(["help", command])).text;
    assert.match(help, new RegExp(`^Usage: cairn ${command}\\b`));
    assert.match(help, /--db <dir>/);
    assert.equal((await cairn([command, "--help"])).text, help);
  }
  assert.equal((await cairn(["--help"])).text, text);
});

test("stats: figures with units, and all of them as JSON", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "x".repeat(3000), ...db]);
  await cairn(["set", "a", "x".repeat(3000), ...db]);
  await cairn(["set", "b", "1", ...db]);
  const { text } = await cairn(["stats", ...db]);
  assert.match(text, /^keys +2$/m);
  assert.match(text, /^version +3, all of it durable$/m);
  assert.match(text, /^log +\d\.\d KiB in \d segments?$/m);
  assert.match(text, /^live +#{10}\.{10} 3\.0 KiB \(4\d\.\d%\)$/m);
  assert.match(text, /^dead +#{11}\.{9} 3\.\d KiB \(5\d\.\d%\)$/m);
  assert.match(text, /^compaction +known of a server that has it open$/m);
  const stats = JSON.parse((await cairn(["stats", "--json", ...db])).text);
  assert.equal(stats.keys, 2);
  assert.equal(stats.aliveBytes + stats.deadBytes, stats.totalBytes);
  assert(stats.deadBytes > 3000);
  await cairn(["set", "c", "1", "--ttl", "90s", ...db]);
  assert.match((await cairn(["stats", ...db])).text, /^keys +3, of which 1 will expire$/m);
});

test("stats: of a server, what it is doing and what the last compaction came to", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path, ["--durability", "batch"]);
  const at = ["--url", server.url];
  assert.match((await cairn(["stats", ...at])).text, /^compaction +none since opening$/m);
  const big = { stdin: "x".repeat(100_000) };
  for (let round = 0; round < 3; round++) await cairn(["set", "a", ...at], big);
  await cairn(["compact", ...at]);
  const { text } = await cairn(["stats", ...at]);
  assert.match(
    text,
    /^compaction +1 since opening, the last one at 20[-\dT:.]+Z reclaimed 19\d\.\d KiB in [\d.]+ m?s$/m,
  );
  assert.match(text, /^fsyncs +\d+ since opening$/m);
  assert.match(text, /^in flight +0 writes$/m);
  assert.match(text, /^live +#{20} 97\.\d KiB/m);
  const stats = JSON.parse((await cairn(["stats", "--json", ...at])).text);
  assert.deepEqual(Object.keys(stats).sort(), [
    ...["aliveBytes", "backpressureMs", "compacting", "compactions", "deadBytes"],
    ...[
      "durableVersion",
      "expiringKeys",
      "indexBytes",
      "indexKeyBytes",
      "keys",
      "lastCompaction",
      "lastCompactionAt",
      "nodeId",
      "replay",
      "segments",
      "syncs",
    ],
    ...["totalBytes", "version", "writesInFlight"],
  ]);
});

test("compact: gives space back and keeps what is alive", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  for (let round = 0; round < 5; round++) {
    await cairn(["set", "key", ...db], { stdin: String(round).repeat(100_000) });
  }
  await cairn(["set", "other", "kept", ...db]);
  const before = JSON.parse((await cairn(["stats", "--json", ...db])).text);
  const { text } = await cairn(["compact", ...db]);
  assert.match(text, /^Reclaimed \d+\.\d KiB: \d+ segments? rewritten into \d+, /);
  const after = JSON.parse((await cairn(["stats", "--json", ...db])).text);
  assert(after.totalBytes < before.totalBytes - 350_000, JSON.stringify({ before, after }));
  assert.equal((await cairn(["get", "key", ...db])).text, "4".repeat(100_000));
  assert.equal((await cairn(["get", "other", ...db])).text, "kept");
  assert.equal(
    typeof JSON.parse((await cairn(["compact", "--json", ...db])).text).recordsMoved,
    "number",
  );
});

test("verify: a sound store", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  assert.match((await cairn(["verify", ...db])).text, /^Sound: 1 record in \d+ files?, \d+ B/);
  const report = JSON.parse((await cairn(["verify", "--json", ...db])).text);
  assert.deepEqual([report.ok, report.problems], [true, []]);
});

test("verify: what a crash cut short is told, and is no damage", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  const file = directory.join("wal/0000000001.log");
  const { length } = readFileSync(file);
  appendFileSync(file, "half");
  const [torn, sound] = (await cairn(["verify", ...db])).text.split("\n");
  assert(torn!.startsWith(`${file} at byte ${length}: 4 B of a write that was cut short`), torn);
  assert.match(torn!, /never acknowledged, and go at the next opening$/);
  assert.match(sound!, /^Sound: 1 record /);
});

test("verify: the advice fits what was found", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  writeFileSync(directory.join("wal/0000000001.hint"), "no hint at all");
  const useless = await runCairn(["verify", ...db]);
  assert.equal(useless.exitCode, 4);
  assert.match(useless.stderr, /nothing needs to be done; .*written anew/);
  const active = directory.join("wal/ACTIVE");
  const sound = readFileSync(active);
  writeFileSync(active, ACTIVE_UNFINISHED);
  const unfinished = await runCairn(["verify", ...db]);
  assert.equal(unfinished.exitCode, 4);
  assert.match(unfinished.stderr, /never completed.*make it again/);
  writeFileSync(active, sound.subarray(1));
  const { text, stderr } = await runCairn(["verify", ...db]);
  assert.match(text, /ACTIVE at byte 0: is damaged: /);
  assert.match(stderr, /restore a backup/);
});

test("verify: damage is named with file and place, exits with 4, and is left as it is", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  for (const key of ["a", "b", "c"]) await cairn(["set", key, key.repeat(1000), ...db]);
  const { file, bytes } = damage(directory.path, "b".repeat(100));
  const { exitCode, text, stderr } = await runCairn(["verify", ...db]);
  assert.equal(exitCode, 4);
  assert.match(text, /\.log at byte \d+: /);
  assert.match(stderr, /^cairn: \d+ problems? in .*\n$/);
  const json = await runCairn(["verify", "--json", ...db]);
  assert.equal(json.exitCode, 4);
  const report = JSON.parse(json.text);
  assert.equal(report.ok, false);
  assert(report.problems[0].path.endsWith(".log"));
  assert.deepEqual(new Uint8Array(readFileSync(file)), bytes);
});

test("a damaged store: commands refuse with 4 and change nothing", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  for (const key of ["a", "b", "c"]) await cairn(["set", key, key.repeat(1000), ...db]);
  const { file, bytes } = damage(directory.path, "b".repeat(100));
  assert.match(await cairnFails(4, ["set", "d", "1", ...db]), /\.log/);
  await cairnFails(4, ["list", ...db]);
  assert.deepEqual(new Uint8Array(readFileSync(file)), bytes);
});

test("verify: a directory without a store is not called sound", async () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.join("empty"));
  const result = await runCairn(["verify", "--db", directory.join("empty")]);
  assert.notEqual(result.exitCode, 0, result.text);
});

/** Changes one byte in the middle of `text` in whichever log file holds it. */
function damage(directory: string, text: string): { file: string; bytes: Uint8Array } {
  const wal = join(directory, "wal");
  for (const name of readdirSync(wal)) {
    if (!name.endsWith(".log")) continue;
    const file = join(wal, name);
    const bytes = readFileSync(file);
    const position = bytes.indexOf(text);
    if (position < 0) continue;
    const middle = position + (text.length >> 1);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    return { file, bytes: new Uint8Array(bytes) };
  }
  throw new Error(`no log file holds ${text}`);
}
