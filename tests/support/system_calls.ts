/**
 * System calls that change files: where a program makes them, and what happens when it dies or
 * fails at one of them. All by strace, so that the program need not know.
 */

import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { assert } from "../../lib/assert.ts";
import { type ProgramResult, type Runner, runProgram } from "./program_run.ts";

/** The calls that create, change, name, remove and sync files. */
const CALLS = [
  ...["fsync", "fdatasync", "ftruncate", "pwrite64", "pwritev", "write", "writev"],
  ...["openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat"],
];

const NAMED_CALLS = /^(?:openat|mkdir|mkdirat|rename|renameat|renameat2|unlink|unlinkat)$/;

/** One call that a program makes. */
export interface CallSite {
  call: string;
  /** The file concerned, relative to the watched directory; of a rename, its old name. */
  path: string;
  /** Which one it is of those that one thread makes with this file, from 1. */
  nth: number;
}

/** Why there can be no tests with strace here; undefined if there can. */
export function straceProblem(): string | undefined {
  const { error, status } = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]);
  if (error !== undefined) return "no strace here";
  return status === 0 ? undefined : "strace is not allowed to trace here";
}

/** A call that was made, whether or not it succeeded. */
export interface TracedCall {
  thread: string;
  call: string;
  /** The file concerned, relative to the watched directory; of a rename, its old name. */
  path: string;
  /** Of a rename, its new name. */
  newPath?: string;
  /** Whether it opens a file in a way that creates it. */
  creates: boolean;
}

/** What `command` does in `directory`, in order; writing to standard output is there as `print`. */
export async function tracedCalls(
  command: readonly string[],
  directory: string,
  run: Runner = runProgram,
): Promise<TracedCall[]> {
  const trace = `${directory}.strace`;
  const options = ["-f", "-y", "-qq", "-o", trace, "-e", `trace=${CALLS.join(",")}`, "--"];
  const { stderr, exitCode } = await run(["strace", ...options, ...command]);
  assert(exitCode === 0 || exitCode === 1, `the traced program failed: ${stderr}`);
  const lines = readFileSync(trace, "utf8").split("\n");
  rmSync(trace);
  return lines.flatMap((line) => callIn(line, directory) ?? []);
}

/**
 * The calls with which `command` changes what is in `directory`, in their order. strace counts them
 * by thread. So a call that a pool thread makes with a file cannot be told from an earlier one of
 * another thread with the same number: it is listed once, and stands for the earlier.
 */
export async function callSites(
  command: readonly string[],
  directory: string,
  run: Runner = runProgram,
): Promise<CallSite[]> {
  const counts = new Map<string, number>();
  const sites = new Map<string, CallSite>();
  for (const { thread, call, path, creates } of await tracedCalls(command, directory, run)) {
    const counter = `${thread} ${call} ${path}`;
    const nth = (counts.get(counter) ?? 0) + 1;
    counts.set(counter, nth);
    // Opening changes nothing unless it creates, but it counts.
    if (call === "print" || (call === "openat" && !creates)) continue;
    const name = `${call} ${path} ${nth}`;
    if (!sites.has(name)) sites.set(name, { call, path, nth });
  }
  return [...sites.values()];
}

function callIn(line: string, directory: string): TracedCall | undefined {
  const [, thread, call, args] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
  if (thread === undefined || call === undefined || args === undefined) return undefined;
  if (/^writev?$/.test(call) && args.startsWith("1<")) {
    return { thread, call: "print", path: "", creates: false };
  }
  const names = [...args.matchAll(/"([^"]*)"/g)].map(([, name]) => name);
  const absolute = NAMED_CALLS.test(call) ? names[0] : /^\d+<([^>]*)>/.exec(args)?.[1];
  const path = relative(absolute, directory);
  if (path === undefined) return undefined;
  const newPath = call.startsWith("rename") ? relative(names[1], directory) : undefined;
  const creates = call === "openat" && args.includes("O_CREAT");
  return { thread, call, path, creates, ...(newPath === undefined ? {} : { newPath }) };
}

function relative(path: string | undefined, directory: string): string | undefined {
  if (path !== directory && !path?.startsWith(`${directory}/`)) return undefined;
  return path.slice(directory.length + 1);
}

/** Runs `command` until right before the call `site`, then kills it. */
export function runUntil(
  site: CallSite,
  command: readonly string[],
  directory: string,
  run: Runner = runProgram,
): Promise<ProgramResult> {
  return runInjected(site, "signal=SIGKILL", command, directory, run);
}

/** Runs `command` to its end, with the call `site` failing. */
export function runFailing(
  site: CallSite,
  error: "EIO" | "ENOSPC",
  command: readonly string[],
  directory: string,
  run: Runner = runProgram,
): Promise<InjectedResult> {
  return runInjected(site, `error=${error}`, command, directory, run);
}

/** What became of a program, and whether it came to the call in question. */
export interface InjectedResult extends ProgramResult {
  injected: boolean;
}

async function runInjected(
  { call, path, nth }: CallSite,
  what: string,
  command: readonly string[],
  directory: string,
  run: Runner = runProgram,
): Promise<InjectedResult> {
  const watched = path === "" ? directory : `${directory}/${path}`;
  const trace = `${directory}.injected`;
  const options = ["-f", "-qq", "-o", trace, "-P", watched, "-e", `trace=${call}`];
  const inject = ["-e", `inject=${call}:${what}:when=${nth}`, "--"];
  const result = await run(["strace", ...options, ...inject, ...command]);
  const injected = readFileSync(trace, "utf8").includes("(INJECTED");
  rmSync(trace);
  return { ...result, injected };
}

/** A call in words, for messages. */
export function showSite({ call, path, nth }: CallSite): string {
  return `${call} ${nth} of ${path === "" ? "the directory" : path}`;
}
