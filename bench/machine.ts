/** What figures were measured on. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";

/** A machine and what runs on it. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  /** Versions by name. */
  versions: Record<string, string>;
}

/** The repository's top directory. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Bun, as `deno install` puts it there. */
export const BUN = `${ROOT}/node_modules/bun/bin/bun.exe`;

/** Deno: this one, or the one on the path. */
export const DENO: string = (globalThis as { Deno?: { execPath(): string } }).Deno?.execPath() ??
  "deno";

/** Describes this machine. */
export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    versions: {
      Bun: firstNumber(BUN, "--version"),
      Deno: firstNumber(DENO, "--version"),
      Redis: firstNumber("redis-server", "--version"),
      ...peerVersions(),
    },
  };
}

function firstNumber(program: string, ...args: string[]): string {
  try {
    const printed = execFileSync(program, args, { encoding: "utf8", stdio: "pipe" });
    return /\d+\.\d+\.\d+/.exec(printed)?.[0] ?? "unknown";
  } catch {
    return "not there";
  }
}

function peerVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(`${ROOT}/bench/peers/package.json`, "utf8"));
  const { echarts: _chart, ...peers } = manifest.dependencies as Record<string, string>;
  return peers;
}

/** The commit that is checked out, marked if sources differ from it. */
export function currentCommit(): string {
  try {
    const options = { cwd: ROOT, encoding: "utf8", stdio: "pipe" } as const;
    const hash = execFileSync("git", ["rev-parse", "--short=10", "HEAD"], options).trim();
    const changed = execFileSync("git", ["status", "--porcelain", "--", "lib", "main.ts"], options);
    return changed === "" ? hash : `${hash}-modified`;
  } catch {
    return "unknown";
  }
}
