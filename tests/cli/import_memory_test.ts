/** Imports do not grow with what they import, but for the index. With CAIRN_IMPORT_MIB, of so much. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { cairn, CairnProcess } from "../support/cairn_process.ts";
import { counted } from "../support/counted.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const MIB = 1 << 20;
const IMPORT_BYTES = Number(process.env["CAIRN_IMPORT_MIB"] ?? 256) * MIB;
const VALUE = "v".repeat(4000);
const SAMPLES = 64;
/**
 * What the collector of garbage leaves lying about varies by so much. An import that kept what it
 * reads would grow by three quarters of it: twice this at least.
 */
const GROWTH_MAX = 96 * MIB;
const INDEX_BYTES_A_KEY = 80;
const TIMEOUT_MS = 600_000;

const skipped = process.platform === "linux" ? undefined : "only Linux tells";

testUnless(skipped, "import: memory is flat", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  await using run = new CairnProcess(["import", "-", ...db], { stdin: null });
  const sizes: number[] = [];
  let sent = 0;
  let keys = 0;
  while (sent < IMPORT_BYTES) {
    let lines = "";
    while (lines.length < MIB) lines += `{"key":"key-${keys++}","value":"${VALUE}"}\n`;
    await run.feed(lines);
    sent += lines.length;
    if (sent >= sizes.length * IMPORT_BYTES / SAMPLES) sizes.push(memoryOf(run.pid));
  }
  run.closeInput();
  const { exitCode, stderr } = await run.ended();
  assert.equal(exitCode, 0, stderr);
  assert.equal(JSON.parse((await cairn(["stats", "--json", ...db])).text).keys, keys);
  const early = Math.max(...sizes.slice(0, SAMPLES / 4));
  const late = Math.max(...sizes.slice(SAMPLES / 4));
  const shown = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
  counted(
    `an import of ${shown(sent)}: at most ${shown(early)} of memory in the first quarter, and ` +
      `${shown(late)} in the rest`,
  );
  const growth = late - early - keys * INDEX_BYTES_A_KEY;
  assert(growth < GROWTH_MAX, `grew from ${shown(early)} to ${shown(late)}`);
}, TIMEOUT_MS);

/** Memory that is in no file, in bytes: pages of files are the system's to take back. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]);
  return (field("RssAnon") + field("RssShmem")) * 1024;
}
