/**
 * A program that works on a store and is killed at every call that changes a file, or has every
 * such call fail. Each case begins with a copy of the same directory.
 */

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { inParallel } from "./in_parallel.ts";
import {
  assertFollows,
  assertSame,
  type Contents,
  contentsAfter,
  contentsOf,
  NOTHING,
  type Plan,
} from "./planned_writes.ts";
import type { PrivateExecutable } from "./private_executable.ts";
import { counted } from "./counted.ts";
import { type Runner, runProgram } from "./program_run.ts";
import { type CallSite, callSites, runFailing, runUntil, showSite } from "./system_calls.ts";

const CASES_AT_ONCE = 2;
/** What is written there is for people to read: the store does without. */
const LOCK_PATH = "db/LOCK";
const SILENT = (): Session => ({ run: runProgram, acknowledged: () => 0 });
const RUNS_ALL = process.env["CAIRN_KILL_ALL"] === "1";

/** What is run, and what it is allowed to leave behind. */
export interface KillScenario {
  /** The directory to begin with; the store in it, if there is one, is named `db`. */
  base: string;
  /** The program and its arguments, for the store in the directory `db`. */
  command: (db: string) => string[];
  plan: Plan;
  /** How it is run, each time anew; by default to its end, with nothing acknowledged. */
  session?: () => Session;
  /** Calls to try by default, of all kinds; each one with CAIRN_KILL_ALL=1, or without a number. */
  sitesMax?: number;
  /** Which threads make the calls is not the same at every run, so it may come through. */
  varies?: boolean;
}

/** One run of a program. */
export interface Session {
  run: Runner;
  /** How many steps of the plan it has acknowledged when it is over and has printed this. */
  acknowledged: (stdout: string) => number;
}

/** A session with a command that makes `count` steps and prints a line when it has. */
export function telling(count: number, stdin?: string): () => Session {
  return () => ({
    run: (command) => runProgram(command, stdin),
    acknowledged: (stdout) => stdout.includes("\n") ? count : 0,
  });
}

/** How a call is to fail. */
export interface Failure {
  error: "EIO" | "ENOSPC";
  calls: RegExp;
}

/** Kills the program at its calls, one by one. Returns how many there were. */
export async function killAtEveryCall(
  executable: PrivateExecutable,
  scenario: KillScenario,
): Promise<number> {
  const { command, plan, session = SILENT, varies = false } = scenario;
  let survivedCount = 0;
  const count = await tryEverySite(executable, scenario, /./, "killed", async (site, directory) => {
    const db = `${directory}/db`;
    const { run, acknowledged } = session();
    const result = await runUntil(site, command(db), directory, run);
    const { signal, exitCode, stdout, stderr } = result;
    if (varies && exitCode === 0) survivedCount++;
    else assert.equal(signal, "SIGKILL", `it was not killed: ${stdout}${stderr}`);
    await assertSurvived(executable, db, plan, acknowledged(stdout));
  });
  return withoutSurvivors(count, survivedCount);
}

/** What is left of `count` calls without those that a run did not come to, which must be few. */
function withoutSurvivors(count: number, survivedCount: number): number {
  if (survivedCount > 0) counted(`${survivedCount} of these runs came through`);
  assert(survivedCount * 4 <= count, `${survivedCount} of ${count} runs came through`);
  return count - survivedCount;
}

/** Lets the program's calls fail, one by one. Returns how many there were. */
export async function failAtEveryCall(
  executable: PrivateExecutable,
  scenario: KillScenario,
  { error, calls }: Failure,
): Promise<number> {
  const { command, plan, session = SILENT, varies = false } = scenario;
  let survivedCount = 0;
  const count = await tryEverySite(executable, scenario, calls, error, async (site, directory) => {
    const db = `${directory}/db`;
    const { run, acknowledged } = session();
    const result = await runFailing(site, error, command(db), directory, run);
    const { exitCode, stdout, stderr, injected } = result;
    // On a full disk, closing does without the note in ACTIVE of how long the log is.
    const isNote = error === "ENOSPC" && site.path.endsWith("ACTIVE.tmp");
    if (varies && !injected) {
      survivedCount++;
      assert.equal(exitCode, 0, stderr);
    } else if (site.path === LOCK_PATH && site.call !== "openat") assert.equal(exitCode, 0, stderr);
    else if (!isNote || exitCode !== 0) {
      assert.equal(exitCode, 6, `exit code ${exitCode}: ${stdout}${stderr}`);
      assert.match(stderr, /^cairn: [^\n]+\n$/);
      assert.match(stderr, error === "ENOSPC" ? /full.*\(ENOSPC\)/ : /\(EIO\)/);
    }
    await assertSurvived(executable, db, plan, acknowledged(stdout));
  });
  return withoutSurvivors(count, survivedCount);
}

async function tryEverySite(
  executable: PrivateExecutable,
  scenario: KillScenario,
  calls: RegExp,
  verb: string,
  attempt: (site: CallSite, directory: string) => Promise<void>,
): Promise<number> {
  const { base, command, session = SILENT, sitesMax = Infinity } = scenario;
  const reference = executable.join("reference");
  await copy(base, reference);
  const sites = (await callSites(command(`${reference}/db`), reference, session().run))
    .filter(({ call }) => calls.test(call));
  rmSync(reference, { recursive: true });
  const chosen = RUNS_ALL || sitesMax === Infinity ? sites : sampleOf(sites, sitesMax);
  await inParallel(chosen, CASES_AT_ONCE, async (site) => {
    const directory = executable.join(`case-${sites.indexOf(site)}`);
    await copy(base, directory);
    try {
      await attempt(site, directory);
    } catch (error) {
      throw new Error(`at ${showSite(site)}: ${(error as Error).message}`, { cause: error });
    }
    rmSync(directory, { recursive: true });
  });
  const [, what] = command("db");
  counted(`${verb} at ${chosen.length} of ${sites.length} calls of ${what}`);
  return chosen.length;
}

/**
 * The same every time: of calls that are alike, and come behind calls that are alike, the first; of
 * these so many at equal distances. LOCK is left out, since what is written there is for people.
 */
function sampleOf(sites: readonly CallSite[], countMax: number): CallSite[] {
  const kinds = new Map<string, CallSite>();
  let before = "";
  for (const site of sites.filter(({ path }) => path !== LOCK_PATH)) {
    const kind = `${site.call} ${site.path.replace(/\d+/, "")}`;
    if (!kinds.has(`${before}, ${kind}`)) kinds.set(`${before}, ${kind}`, site);
    before = kind;
  }
  return spread([...kinds.values()], countMax);
}

async function copy(from: string, to: string): Promise<void> {
  const { exitCode, stderr } = await runProgram(["cp", "-a", from, to]);
  assert.equal(exitCode, 0, stderr);
}

/** So many of the items, at equal distances, the last one among them. */
function spread<Item>(items: readonly Item[], countMax: number): Item[] {
  const count = Math.min(items.length, countMax);
  return Array.from({ length: count }, (_, index) => {
    return items[Math.ceil((index + 1) * items.length / count) - 1]!;
  });
}

/**
 * Holds what a killed or failed process left against its plan: as it is, after the executable has
 * recovered it, and after compaction.
 */
async function assertSurvived(
  executable: PrivateExecutable,
  db: string,
  plan: Plan,
  acknowledged: number,
): Promise<void> {
  const found = await lookAt(executable, db);
  assertFollows(found, plan, acknowledged);
  const set = await runProgram([executable.path, "set", "--db", db, "after the crash", "here"]);
  assert.equal(set.exitCode, 0, set.stderr);
  const expected = contentsAfter({ start: found, steps: [[["after the crash", "here"]]] }, 1);
  assertSame(await contentsOf(db), expected);
  await using store = await KvStore.open(db);
  assert.equal(store.stats().replay.truncatedBytes, 0, "recovery leaves no torn tail");
  await store.compact();
  await store.close();
  assertSame(await contentsOf(db), expected);
  const report = await KvStore.verify(db);
  assert.deepEqual([report.problems, report.tornBytes], [[], 0]);
}

/** What is there before anything is repaired. */
async function lookAt(executable: PrivateExecutable, db: string): Promise<Contents> {
  // Before there is an ACTIVE there is no store, and nothing can have been acknowledged.
  if (!existsSync(`${db}/wal/ACTIVE`)) return NOTHING;
  const { exitCode, stdout, stderr } = await runProgram([executable.path, "verify", "--db", db]);
  assert.equal(exitCode, 0, `verify: ${stdout}${stderr}`);
  const found = await contentsOf(db);
  assertSame(await contentsOf(db), found);
  return found;
}
