/** What reaches the operating system. A forgotten fsync shows nowhere else until the power fails. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bunPath, denoPath } from "../support/runtimes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const PROBE = fileURLToPath(new URL("sync_probe.ts", import.meta.url));
const noStrace = spawnSync("strace", ["true"]).status === 0 ? undefined : "no strace here";

const runners: Record<string, string[] | undefined> = {
  Deno: denoPath === undefined
    ? undefined
    : [denoPath, "run", "--no-config", "--allow-read", "--allow-write", PROBE],
  Bun: bunPath === undefined ? undefined : [bunPath, PROBE],
};

for (const [runtime, command] of Object.entries(runners)) {
  const reason = command === undefined ? `no ${runtime} here` : noStrace;
  testUnless(reason, `under ${runtime} every sync reaches the system, in order`, () => {
    using directory = new TemporaryDirectory();
    const { path: root } = directory;
    const trace = directory.join("trace");
    const run = spawnSync("strace", [
      ...["-f", "-y", "-o", trace, "-e", "trace=mkdir,mkdirat,pwrite64,fsync,fdatasync"],
      ...command!,
      root,
    ], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(callsIn(readFileSync(trace, "utf8"), root), [
      // The directory that exists already comes first: who made it may not have synced it.
      "fsync ..",
      "mkdir a",
      "fsync .",
      "mkdir a/b",
      "fsync a",
      "pwrite64 a/b/f",
      "fdatasync a/b/f",
      "pwrite64 a/b/f",
      "fdatasync a/b/f",
      "fsync a",
      "fsync a/b",
    ]);
  });
}

for (const [runtime, command] of Object.entries(runners)) {
  const reason = command === undefined ? `no ${runtime} here` : noStrace;
  testUnless(reason, `under ${runtime} an fsync of a directory that fails is an error`, () => {
    // The one above what exists already, then the one that is asked for last.
    for (const nth of [1, 4]) {
      const { status, stderr } = runFailing(command!, `fsync:error=EIO:when=${nth}`);
      assert.notEqual(status, 0);
      assert.match(stderr, /Cannot (?:create|sync) directory/);
    }
    const unheardOf = runFailing(command!, "fsync:error=EINVAL");
    assert.equal(unheardOf.status, 0, `some file systems have no such call: ${unheardOf.stderr}`);
  });
}

for (const [runtime, command] of Object.entries(runners)) {
  const reason = command === undefined ? `no ${runtime} here` : noStrace;
  testUnless(reason, `under ${runtime} a new directory whose fsync failed does not stay`, () => {
    // A later fsync would succeed, and make nothing durable.
    for (const [nth, left] of [[2, []], [3, ["a"]]] as const) {
      const { status, stderr, found } = runFailing(command!, `fsync:error=EIO:when=${nth}`);
      assert.notEqual(status, 0);
      assert.match(stderr, /Cannot create directory/);
      assert.deepEqual(found, left);
    }
  });
}

/** Runs the probe with system calls that fail; `found` is what it leaves in its directory. */
function runFailing(command: readonly string[], inject: string) {
  using directory = new TemporaryDirectory();
  const run = spawnSync("strace", [
    ...["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", `inject=${inject}`],
    ...command,
    directory.path,
  ], { encoding: "utf8" });
  const found = readdirSync(directory.path, { recursive: true, encoding: "utf8" });
  return { ...run, found };
}

/** The successful calls that concern `root`, with paths relative to it. */
function callsIn(trace: string, root: string): string[] {
  const parent = root.slice(0, root.lastIndexOf("/"));
  const calls: string[] = [];
  for (const line of trace.split("\n")) {
    const match = /(mkdir|mkdirat|pwrite64|fsync|fdatasync)\((.*)$/.exec(line);
    if (match === null || line.includes(" = -1 ")) continue;
    const path = [...match[2]!.matchAll(/[<"](\/[^>"]*)[>"]/g)].at(-1)?.[1];
    if (path === undefined || !(path === parent || path.startsWith(root))) continue;
    const relative = path === parent ? ".." : path.slice(root.length + 1) || ".";
    calls.push(`${match[1] === "mkdirat" ? "mkdir" : match[1]} ${relative}`);
  }
  return calls;
}
