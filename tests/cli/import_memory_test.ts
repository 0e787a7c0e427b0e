/** Imports do not grow with what they import, but for the index. With CAIRN_IMPORT_MIB, of so much. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { cairn, CairnProcess } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const MIB = 1 << 20;
const IMPORT_BYTES = Number(process.env["CAIRN_IMPORT_MIB"] ?? 512) * MIB;
const VALUE = "v".repeat(4000);
/**
 * A fixed sum, since no part of a run tells what another may need: the collector of garbage lets
 * memory grow to 150 to 200 MiB, sooner or later, and then no further, however long the import. One
 * that kept what it reads, or half of it, would need more than this at the end.
 */
const MEMORY_MAX = 320 * MIB;
const INDEX_BYTES_A_KEY = 80;
const TIMEOUT_MS = 600_000;

const skipped = process.platform === "linux" ? undefined : "only Linux tells";

testUnless(skipped, "import: memory is flat", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  await using run = new CairnProcess(["import", "-", ...db], { stdin: null });
  let memory = 0;
  let sent = 0;
  let keys = 0;
  while (sent < IMPORT_BYTES) {
    let lines = "";
    while (lines.length < MIB) lines += `{"key":"key-${keys++}","value":"${VALUE}"}\n`;
    await run.feed(lines);
    sent += lines.length;
    memory = Math.max(memory, memoryOf(run.pid));
  }
  run.closeInput();
  const { exitCode, stderr } = await run.ended();
  assert.equal(exitCode, 0, stderr);
  assert.equal(JSON.parse((await cairn(["stats", "--json", ...db])).text).keys, keys);
  const shown = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
  counted(`an import of ${shown(sent)}: at most ${shown(memory)} of memory`);
  assert(memory < MEMORY_MAX + keys * INDEX_BYTES_A_KEY, `${shown(memory)} of memory`);
}, TIMEOUT_MS);

/** Memory that is in no file, in bytes: pages of files are the system's to take back. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]);
  return (field("RssAnon") + field("RssShmem")) * 1024;
}
