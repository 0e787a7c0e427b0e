/** Runs the scripts of tests/crash/children in a process of their own, in any runtime. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { bunPath, denoPath } from "./runtimes.ts";

const CHILDREN = new URL("../crash/children/", import.meta.url);
const ANSWER_TIMEOUT_MS = 30_000;

/** How to run a script in each runtime; undefined where it is not to be had. */
export const RUNTIMES: Readonly<Record<string, readonly string[] | undefined>> = {
  Deno: denoPath === undefined ? undefined : [denoPath, "run", "--quiet", "--allow-all"],
  Bun: bunPath === undefined ? undefined : [bunPath],
};

/** Why a test of this runtime cannot run here; undefined if it can. */
export function reasonAgainst(...runtimes: readonly string[]): string | undefined {
  const missing = runtimes.find((runtime) => RUNTIMES[runtime] === undefined);
  return missing === undefined ? undefined : `no ${missing} here`;
}

/** A running script, and the lines that it says. It is killed at the end of the scope. */
export class ChildScript implements AsyncDisposable {
  /** Lines said so far. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stderr = "";
  #taken = 0;
  #wake = () => {};

  constructor(runtime: string, script: string, ...args: readonly string[]) {
    const [program, ...runtimeArgs] = RUNTIMES[runtime]!;
    const path = fileURLToPath(new URL(script, CHILDREN));
    this.#child = spawn(program!, [...runtimeArgs, path, ...args], { stdio: "pipe" });
    this.#child.stderr!.on("data", (chunk) => this.#stderr += chunk);
    const reader = createInterface({ input: this.#child.stdout! });
    reader.on("line", (line) => {
      this.lines.push(line);
      this.#wake();
    });
    // The pipe outlives the process: lines said before a kill still arrive.
    this.#ended = Promise.all([once(this.#child, "exit"), once(reader, "close")])
      .then(() => this.#wake());
  }

  /** The next line. */
  async line(): Promise<string> {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    let ended = false;
    void this.#ended.then(() => ended = true);
    while (this.#taken >= this.lines.length) {
      assert(!ended, `the script ended without an answer: ${this.#stderr}`);
      assert(performance.now() < deadline, `the script does not answer: ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => (clearTimeout(timer), resolve());
      });
    }
    return this.lines[this.#taken++]!;
  }

  /** Ends the script's standard input, which most take as a sign to end; resolves when it has. */
  async finish(): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
  }

  /** kill -9; resolves when the process is gone and all it said has arrived. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
