/** What commands have written is on the disk, with its name, before they say that it is there. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createApp } from "../../lib/server/http/mod.ts";
import { KvStore } from "../../lib/mod.ts";
import { type Runner, runProgram } from "../support/program_run.ts";
import { bunPath } from "../support/runtimes.ts";
import { straceProblem, type TracedCall, tracedCalls } from "../support/system_calls.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

// From its source, so that it is the code at hand which is traced.
const CAIRN = [bunPath ?? "", fileURLToPath(new URL("../../main.ts", import.meta.url))];
const skipped = straceProblem() ?? (bunPath === undefined ? "no Bun here" : undefined);

async function fill(path: string): Promise<void> {
  await using store = await KvStore.open(path);
  for (let index = 0; index < 10; index++) await store.set(`key-${index}`, "value");
}

/** Some of these are to fail. */
const runAnyhow: Runner = async (command) => ({ ...await runProgram(command), exitCode: 0 });

async function traced(directory: TemporaryDirectory, ...args: string[]): Promise<TracedCall[]> {
  return (await tracedCalls([...CAIRN, ...args], directory.path, runAnyhow))
    .filter(({ path }) => !path.startsWith("db"));
}

/** Where a call stands; the last one of its kind unless told otherwise. */
function last(calls: readonly TracedCall[], kind: RegExp, path: RegExp, before = calls.length) {
  const at = calls.findLastIndex((each, index) =>
    index < before && kind.test(each.call) && path.test(each.path)
  );
  assert.notEqual(at, -1, `no ${kind} of ${path} before call ${before}`);
  return at;
}

/** A file is written, synced, renamed, and its name synced, in this order. Returns where the end is. */
function assertNamedDurably(calls: readonly TracedCall[], name: RegExp, directory: RegExp): number {
  const rename = calls.findLastIndex(({ newPath }) => newPath !== undefined && name.test(newPath));
  assert.notEqual(rename, -1, `nothing becomes ${name}`);
  const temporary = new RegExp(`^${RegExp.escape(calls[rename]!.path)}$`);
  const sync = last(calls, /^fsync$/, temporary, rename);
  assert(last(calls, /write/, temporary, rename) < sync, "the file is synced after its last byte");
  const named = last(calls, /^fsync$/, directory);
  assert(named > rename, "the directory is synced after the name is given");
  return named;
}

testUnless(skipped, "export: the file and its name are durable before it is reported", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.join("db"));
  const out = directory.join("out.ndjson");
  const calls = await traced(directory, "export", out, "--db", directory.join("db"), "--json");
  const named = assertNamedDurably(calls, /^out\.ndjson$/, /^$/);
  assert(last(calls, /^print$/, /^$/) > named, "nothing is said before");
});

testUnless(skipped, "import --resume: so is the note of how far it has come", async () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join("in.ndjson"), '{"key":"a","value":"1"}\nnonsense\n');
  const db = ["--db", directory.join("db")];
  const resume = ["--resume", directory.join("note")];
  const calls = await traced(directory, "import", directory.join("in.ndjson"), ...db, ...resume);
  assertNamedDurably(calls, /^note$/, /^$/);
});

testUnless(skipped, "restore: all files of an archive, before they make a store", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.join("db"));
  {
    await using store = await KvStore.open(directory.join("db"));
    const response = await createApp(store).request("http://127.0.0.1/v1/backup");
    writeFileSync(directory.join("archive.tar"), new Uint8Array(await response.arrayBuffer()));
  }
  const archive = directory.join("archive.tar");
  const calls = await traced(directory, "restore", archive, "--db", directory.join("new"));
  assertNamedDurably(calls, /wal\/ACTIVE$/, /^new\/wal$/);
  const rename = calls.findIndex(({ newPath }) => newPath === "new/wal/ACTIVE");
  const files = new Set(
    calls.filter(({ call, path }) => /write/.test(call) && path.startsWith("new/wal/"))
      .map(({ path }) => path),
  );
  assert(files.size >= 3, [...files].join());
  for (const file of files) {
    const pattern = new RegExp(`^${RegExp.escape(file)}$`);
    const sync = last(calls, /^fsync$/, pattern, rename);
    assert(sync > last(calls, /write/, pattern), file);
  }
  const directorySynced = last(calls, /^fsync$/, /^new\/wal$/, rename);
  assert(directorySynced > last(calls, /^openat$/, /./, rename), "names last, before ACTIVE");
  for (const parent of [/^new$/, /^$/]) assert(last(calls, /^fsync$/, parent) > 0);
});
