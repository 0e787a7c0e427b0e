/**
 * The executable on a real disk that is full: it fills up under a server, in the midst of a
 * compaction too, and is still full when the store is opened after a crash.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import {
  assertOneLineError,
  CAIRN,
  cairn,
  runCairn,
  type ServerProcess,
  startServer,
} from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { DiskFiller } from "../support/disk_filler.ts";
import {
  LOOP_FILE_SYSTEMS,
  LoopFileSystem,
  loopFileSystemProblem,
} from "../support/loop_file_system.ts";
import { filesIn } from "../support/files_in.ts";
import { testUnless } from "../support/test_unless.ts";
import { WriteLog } from "../support/write_log.ts";

const WRITERS = 4;
const SEGMENT_BYTES = 65_536;
const VALUE_BYTES = 5000;
/** What is left free when the disk begins to fill up: some segments, one, a part of one, nothing. */
const FREE_BYTES = [300_000, 80_000, 20_000, 0];
/** By default half of them on each kind of file system. */
const FREE_BYTES_OF: Record<string, readonly number[]> = {
  ext4: [300_000, 0],
  xfs: [80_000, 20_000],
};
const RUNS_ALL = process.env["CAIRN_POWER_ROUNDS"] !== undefined;
const ENDINGS = ["SIGTERM", "SIGKILL"] as const;

for (const kind of LOOP_FILE_SYSTEMS.filter(({ name }) => !name.includes("commit"))) {
  const skipped = loopFileSystemProblem(kind) ??
    (existsSync(CAIRN) ? undefined : "the executable is not built");
  const freeBytesOf = RUNS_ALL ? FREE_BYTES : FREE_BYTES_OF[kind.type]!;

  testUnless(skipped, `full: writes get NoSpace, reads go on, on ${kind.name}`, async () => {
    using disk = new LoopFileSystem(kind);
    for (const [index, freeBytes] of freeBytesOf.entries()) {
      const ending = ENDINGS[index % 2]!;
      await fillUnderWriters(disk, `${disk.path}/${index}`, freeBytes, ending);
    }
    counted(`${freeBytesOf.length} times full under writers, on ${kind.name}`);
  });

  testUnless(skipped, `full in the midst of a compaction, on ${kind.name}`, async () => {
    using disk = new LoopFileSystem(kind);
    let failedCount = 0;
    for (const [index, freeBytes] of freeBytesOf.entries()) {
      const ending = ENDINGS[index % 2]!;
      const failed = await fillUnderCompaction(disk, `${disk.path}/${index}`, freeBytes, ending);
      if (failed) failedCount++;
    }
    assert(failedCount * 2 >= freeBytesOf.length, `${failedCount} had too little space`);
    counted(`${freeBytesOf.length} times full under a compaction, on ${kind.name}`);
  });
}

async function fillUnderWriters(
  disk: LoopFileSystem,
  db: string,
  freeBytes: number,
  ending: NodeJS.Signals,
): Promise<void> {
  const log = new WriteLog();
  const filler = new DiskFiller(disk.path);
  {
    await using server = await serve(db);
    await writeRounds(server, log, 3);
    filler.fill(freeBytes);
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => {
      return writeUntilFull(server, log, writer);
    }));
    await assertReads(server, log);
    await assertRefuses(server, /disk is full|takes no more writes/);
    filler.fill(0);
    await assertReads(server, log);
    log.compare(await readByExecutable(db));
    // Space alone does not help: what the disk did with the failed write is not known.
    filler.empty();
    await assertRefuses(server, /takes no more writes/);
    await assertReads(server, log);
    filler.fill(0);
    const result = await server.stop(ending);
    // Whoever stops it hears that not everything went well.
    if (ending === "SIGTERM") assertOneLineError(result, 6);
  }
  await openWhileFull(db, log, filler);
  filler.empty();
  await assertWorks(db, log);
}

/** Returns whether there was too little space for it. */
async function fillUnderCompaction(
  disk: LoopFileSystem,
  db: string,
  freeBytes: number,
  ending: NodeJS.Signals,
): Promise<boolean> {
  const log = new WriteLog();
  const filler = new DiskFiller(disk.path);
  let failed: boolean;
  {
    await using server = await serve(db);
    await writeRounds(server, log, 12);
    filler.fill(freeBytes);
    const compaction = fetch(`${server.url}/v1/compact`, { method: "POST" });
    await assertReads(server, log);
    const response = await compaction;
    failed = response.status !== 200;
    if (failed) await assertNoSpace(response, /disk is full/);
    else await response.body?.cancel();
    filler.fill(0);
    await assertReads(server, log);
    await server.stop(ending);
  }
  await openWhileFull(db, log, filler);
  filler.empty();
  await assertWorks(db, log);
  return failed;
}

function serve(db: string): Promise<ServerProcess> {
  return startServer(db, ["--segment-bytes", `${SEGMENT_BYTES}`, "--log-level", "silent"]);
}

/** Every writer sets and deletes its keys, over and over. */
async function writeRounds(server: ServerProcess, log: WriteLog, rounds: number): Promise<void> {
  for (let index = 0; index < rounds * 4; index++) {
    await Promise.all(Array.from({ length: WRITERS }, async (_, writer) => {
      const { status } = await write(server, log, writer, index);
      assert([201, 204].includes(status), `${status}`);
    }));
  }
}

async function writeUntilFull(server: ServerProcess, log: WriteLog, writer: number): Promise<void> {
  for (let index = 0; index < 1000; index++) {
    const response = await write(server, log, writer, index);
    if (response.ok) continue;
    return await assertNoSpace(response, /disk is full|takes no more writes/);
  }
  assert.fail("the disk was never full");
}

async function write(
  server: ServerProcess,
  log: WriteLog,
  writer: number,
  index: number,
): Promise<Response> {
  const key = `writer-${writer}/${index % 4}`;
  const value = index % 9 === 8
    ? undefined
    : `${log.acknowledgedCount} of ${writer} `.padEnd(VALUE_BYTES, "-");
  const request = log.issue(key, value);
  const response = await fetch(urlOf(server, key), {
    method: value === undefined ? "DELETE" : "PUT",
    ...(value === undefined ? {} : { body: value }),
  });
  if (response.ok) {
    await response.body?.cancel();
    log.acknowledge(request);
  } else if (response.status === 404) await response.body?.cancel();
  return response;
}

/** The server answers with what was acknowledged last, or asked for since. */
async function assertReads(server: ServerProcess, log: WriteLog): Promise<void> {
  const found = new Map<string, string>();
  for (let writer = 0; writer < WRITERS; writer++) {
    for (let index = 0; index < 4; index++) {
      const key = `writer-${writer}/${index}`;
      const response = await fetch(urlOf(server, key));
      const body = await response.text();
      assert([200, 404].includes(response.status), `GET ${key}: ${response.status} ${body}`);
      if (response.status === 200) found.set(key, body);
    }
  }
  log.compare(found);
}

/** Every kind of change is refused for want of space. */
async function assertRefuses(server: ServerProcess, message: RegExp): Promise<void> {
  const url = urlOf(server, "writer-0/1");
  await assertNoSpace(await fetch(url, { method: "PUT", body: "refused" }), message);
  const ops = [{ op: "set", key: "refused", value: "refused" }];
  const batch = { method: "POST", body: JSON.stringify({ ops }) };
  const headers = { "content-type": "application/json" };
  await assertNoSpace(await fetch(`${server.url}/v1/batch`, { ...batch, headers }), message);
  await assertNoSpace(await fetch(`${server.url}/v1/compact`, { method: "POST" }), message);
  const health = await fetch(`${server.url}/healthz`);
  await health.body?.cancel();
  assert.equal(health.status, 200);
}

async function assertNoSpace(response: Response, message: RegExp): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, 507, text);
  const problem = JSON.parse(text) as { code: string; detail: string };
  assert.equal(problem.code, "NoSpace");
  assert.match(problem.detail, message);
}

/** Reading works, opening for writing does not and says what to do, and no file of the log changes. */
async function openWhileFull(db: string, log: WriteLog, filler: DiskFiller): Promise<void> {
  // Space that was kept ready behind the log is given back by the first opening, which may do then.
  await runCairn(["flush", "--db", db]);
  filler.fill(0);
  const before = filesIn(`${db}/wal`);
  log.check(await readByExecutable(db));
  await cairn(["verify", "--db", db]);
  await cairn(["stats", "--db", db]);
  const set = await runCairn(["set", "--db", db, "refused", "x".repeat(VALUE_BYTES)]);
  assertOneLineError(set, 6);
  assert.match(set.stderr, /the disk is full; free some space/);
  const opened = await serve(db).then((server) => server.stop(), (error: Error) => error);
  if (opened instanceof Error) assert.match(opened.message, /the disk is full; free some space/);
  log.check(await readByExecutable(db));
  // The store is as it was: bytes that were there stay, until there is space.
  for (const [name, bytes] of before) {
    if (!/log$/.test(name)) continue;
    const after = filesIn(`${db}/wal`).get(name);
    assert(after !== undefined, `${name} is gone`);
    assert(after.subarray(0, bytes.length).equals(bytes), `${name} was changed`);
  }
}

/** What those commands say that only look. */
async function readByExecutable(db: string): Promise<Map<string, string>> {
  const { text } = await cairn(["list", "--db", db, "--values", "--json"]);
  const entries = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  const found = new Map<string, string>(entries.map(({ key, value }) => [key, value]));
  const [key, value] = [...found][0]!;
  assert.equal((await cairn(["get", "--db", db, key])).text, value);
  return found;
}

/** With space again, everything is there, and the store takes writes. */
async function assertWorks(db: string, log: WriteLog): Promise<void> {
  {
    await using server = await serve(db);
    await assertReads(server, log);
    await writeRounds(server, log, 1);
    const response = await fetch(`${server.url}/v1/compact`, { method: "POST" });
    assert.equal(response.status, 200, await response.text());
    await assertReads(server, log);
    assert.equal((await server.stop()).exitCode, 0);
  }
  await cairn(["verify", "--db", db]);
  log.check(await readByExecutable(db));
  const names = [...filesIn(`${db}/wal`).keys()];
  assert.deepEqual(names.filter((name) => name.endsWith(".tmp")), []);
}

function urlOf(server: ServerProcess, key: string): string {
  return `${server.url}/v1/kv/${encodeURIComponent(key)}`;
}
