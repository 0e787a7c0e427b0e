/** A disk that gets full under a command: one line, exit code 6, and nothing that is only half there. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import {
  assertOneLineError,
  cairn,
  cairnFails,
  runCairn,
  startServer,
} from "../support/cairn_process.ts";
import { SmallDisk, smallDiskProblem } from "../support/small_disk.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const DISK_BYTES = 8 << 20;
const RECORDS = 4000;
const VALUE = "v".repeat(1000);
const FULL = /no space left|disk is full/i;

/** What an unfinished copy consists of. */
const MARK = /^copy(?:\/LOCK|\/wal|\/wal\/ACTIVE)?$|^restored(?:\/LOCK|\/wal|\/wal\/ACTIVE)?$/;

const skipped = smallDiskProblem();

/** All files, but the one that takes the room. */
function filesOn(disk: SmallDisk): string[] {
  return readdirSync(disk.path, { recursive: true }).map(String).filter((name) => name !== "taken");
}

/** Writes records of 4 MB into a file. */
function recordsIn(directory: TemporaryDirectory): string {
  const file = directory.join("records.ndjson");
  const lines = Array.from({ length: RECORDS }, (_, index) => {
    return `${JSON.stringify({ key: `key-${index}`, value: VALUE })}\n`;
  });
  writeFileSync(file, lines.join(""));
  return file;
}

testUnless(skipped, "full disk: an import ends with what to do, and goes on later", async () => {
  using directory = new TemporaryDirectory();
  using disk = new SmallDisk(DISK_BYTES);
  const file = recordsIn(directory);
  const db = ["--db", disk.join("store")];
  disk.take(DISK_BYTES - (3 << 20));
  const error = await cairnFails(6, ["import", file, ...db]);
  assert.match(error, FULL);
  const args = ["import", file, "--resume", directory.join("state"), ...db];
  assert.match(await cairnFails(6, args), FULL);
  // What was written of it is a sound store all the same.
  await cairn(["verify", ...db]);
  disk.free();
  await cairn(args);
  assert.equal(JSON.parse((await cairn(["stats", "--json", ...db])).text).keys, RECORDS);
  await cairn(["verify", ...db]);
  assert.deepEqual(readdirSync(directory.path), ["records.ndjson"]);
});

testUnless(skipped, "full disk: an import says how far it came for certain", async () => {
  using directory = new TemporaryDirectory();
  using disk = new SmallDisk(40 << 20);
  const file = directory.join("records.csv");
  // Made durable every 32 MiB.
  const row = (index: number) => `key-${index},${"v".repeat(50_000)}\n`;
  const rows = Array.from({ length: 900 }, (_, index) => row(index));
  writeFileSync(file, `key,value\n${rows.join("")}`);
  const error = await cairnFails(6, ["import", file, "--db", disk.join("store")]);
  assert.match(error, FULL);
  const [, skip] = /the first ([\d,]+) records of .* are imported, go on with --skip/.exec(error)!;
  const stats = JSON.parse((await cairn(["stats", "--json", "--db", disk.join("store")])).text);
  assert(stats.keys >= Number(skip!.replaceAll(",", "")), `${stats.keys} of ${skip}`);
});

testUnless(skipped, "full disk: the file that --resume names", async () => {
  using directory = new TemporaryDirectory();
  using disk = new SmallDisk(1 << 20);
  const file = recordsIn(directory);
  disk.take(1 << 20);
  const state = disk.join("state");
  const db = ["--db", directory.join("store")];
  const error = await cairnFails(6, ["import", file, "--resume", state, ...db]);
  assert.match(error, /cannot write .*state.*: no space left/);
  assert(!existsSync(state));
  disk.free();
  await cairn(["import", file, "--resume", state, ...db]);
  assert.deepEqual(readdirSync(disk.path), []);
});

testUnless(skipped, "full disk: export, backup and restore leave nothing", async () => {
  using directory = new TemporaryDirectory();
  using disk = new SmallDisk(2 << 20);
  const store = directory.join("store");
  await cairn(["import", recordsIn(directory), "--db", store]);
  const backup = directory.join("backup");
  await cairn(["backup", backup, "--db", store]);
  await using server = await startServer(store);
  const archive = directory.join("backup.tar");
  const answer = await fetch(`${server.url}/v1/backup`);
  writeFileSync(archive, new Uint8Array(await answer.arrayBuffer()));
  const commands = [
    ["export", disk.join("out.ndjson"), "--db", store],
    ["export", disk.join("out.csv"), "--url", server.url],
    ["backup", disk.join("copy"), "--db", store],
    ["backup", disk.join("fetched"), "--url", server.url],
    ["restore", backup, "--db", disk.join("restored")],
    ["restore", archive, "--db", disk.join("unpacked")],
    ["get", "key-1", "--db", store, "--out", disk.join("value")],
  ];
  for (const args of commands) {
    if (args[0] === "get") disk.take(2 << 20);
    const error = await cairnFails(6, args);
    assert.match(error, FULL, args.join(" "));
    // Of a copy from a directory there is the mark that it is unfinished.
    assert.deepEqual(filesOn(disk).filter((name) => !MARK.test(name)), [], args.join(" "));
  }
  assert.match(
    await cairnFails(4, ["list", "--db", disk.join("copy")]),
    /never completed|unfinished/,
  );

  // Of a pipe there is no room to run out of, but the copy of a server's store needs some.
  const options = { env: { TMPDIR: disk.path } };
  assert.match(await cairnFails(6, ["export", "-", "--url", server.url], options), FULL);
  assert.deepEqual(filesOn(disk).filter((name) => !MARK.test(name)), []);
});

testUnless(skipped, "full disk: a backup can be made again in the same place", async () => {
  using directory = new TemporaryDirectory();
  using disk = new SmallDisk(DISK_BYTES);
  const store = directory.join("store");
  await cairn(["import", recordsIn(directory), "--db", store]);
  disk.take(DISK_BYTES - (2 << 20));
  const args = ["backup", disk.join("copy"), "--db", store];
  assert.match(await cairnFails(6, args), FULL);
  disk.free();
  await cairn(args);
  await cairn(["verify", "--db", disk.join("copy")]);
});

testUnless(skipped, "full disk: a write to a directory and to a server", async () => {
  using disk = new SmallDisk(1 << 20);
  const store = disk.join("store");
  await cairn(["set", "a", "1", "--db", store]);
  disk.take(1 << 20);
  const big = { stdin: "b".repeat(100_000) };
  assert.match(await cairnFails(6, ["set", "b", "--db", store], big), FULL);
  assert.equal((await cairn(["get", "a", "--db", store])).text, "1");
  disk.free();
  await using server = await startServer(store);
  disk.take(1 << 20);
  assert.match(await cairnFails(6, ["set", "b", "--url", server.url], big), FULL);
  assert.equal((await cairn(["list", "--url", server.url])).text, "a\n");
});

testUnless(skipped, "full disk: bench says so and clears up", async () => {
  using disk = new SmallDisk(3 << 20);
  const args = ["bench", "--workload", "overwrite", "--keys", "100", "--value-bytes", "5000"];
  const options = { env: { TMPDIR: disk.path } };
  disk.take(2 << 20);
  assert.match(await cairnFails(2, ["bench", "--keys", "1000000"], options), /it may take/);
  disk.free();
  // What it takes at the beginning is there, but not what overwriting takes at once.
  const result = await runCairn([...args, "--ops", "100000", "--durability", "batch"], options);
  assertOneLineError(result, 6);
  assert.match(result.stderr, FULL);
  assert.deepEqual(readdirSync(disk.path), []);
});
