/** A program in a terminal of its own, typed into and read as a person would. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { CAIRN } from "./cairn_process.ts";

const SCRIPT = "/usr/bin/script";
const WAIT_MS_MAX = 60_000;
// deno-lint-ignore no-control-regex
const TITLE = /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g;
// deno-lint-ignore no-control-regex
const ESCAPES = /\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[=>]|\x1b\(B|\r|\x07/g;

/** Why there can be no such terminal here; undefined if there can. */
export function noTerminal(): string | undefined {
  return process.platform === "linux" && existsSync(SCRIPT) ? undefined : "no /usr/bin/script";
}

/** It is killed at the end of the scope. */
export class TerminalSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #decoder = new TextDecoder();
  #raw = "";
  #seen = 0;
  #news: () => void = () => {};
  #isRunning = true;

  /** Runs a command line of the shell, in which `cairn` is `"$CAIRN"`. */
  constructor(script: string, env: Record<string, string> = {}, cwd = "/") {
    const { PATH = "/usr/bin:/bin" } = process.env;
    this.#child = spawn(SCRIPT, ["-qefc", `stty cols 100 rows 40; ${script}`, "/dev/null"], {
      env: { PATH, HOME: cwd, TERM: "xterm", LC_ALL: "C.UTF-8", CAIRN, ...env },
      cwd,
      stdio: "pipe",
    });
    this.#child.stdin?.on("error", () => {});
    this.#child.stdout?.on("data", (chunk: Uint8Array) => {
      this.#raw += this.#decoder.decode(chunk, { stream: true });
      this.#news();
    });
    this.#ended = once(this.#child, "close").then(([exitCode]) => {
      this.#isRunning = false;
      this.#news();
      return exitCode as number | null;
    });
  }

  /** Everything shown so far, without what moves the cursor or colours. */
  get text(): string {
    return this.#raw.replace(TITLE, "").replace(ESCAPES, "");
  }

  /** Everything that was written to the terminal. */
  get raw(): string {
    return this.#raw;
  }

  /** Presses keys. */
  type(keys: string | Uint8Array): void {
    this.#child.stdin?.write(keys);
  }

  /** Resolves to the match once this is shown, behind what was waited for before. */
  async shows(pattern: RegExp | string): Promise<RegExpExecArray> {
    const expected = typeof pattern === "string"
      ? new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      : pattern;
    while (true) {
      const match = expected.exec(this.text.slice(this.#seen));
      if (match !== null) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      assert(this.#isRunning, `it has ended without showing ${expected}: ${this.text}`);
      await this.#change(expected);
    }
  }

  /** Resolves at news; a test that waits in vain is to say for what. */
  #change(expected: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${expected} is not shown in: ${this.text.slice(this.#seen)}`)),
        WAIT_MS_MAX,
      );
      this.#news = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Types, and waits for what is shown then. */
  async answers(keys: string, pattern: RegExp | string): Promise<RegExpExecArray> {
    this.type(keys);
    return await this.shows(pattern);
  }

  /** Resolves to the exit code when it has ended. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What runs in the terminal, and not the terminal, which would leave it behind.
    for (const pid of this.#isRunning ? childrenOf(this.#child.pid!) : []) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    await this.#ended;
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter((each) => each !== "").map(Number);
}
