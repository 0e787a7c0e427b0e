/** A private copy of the project, in which mutants are made and tested. */

import { applyEdit, type Edit, editsOf, type Mutant } from "../tests/mutation/mutant.ts";
import type { Outcome } from "./mutation_outcome.ts";
import { BUN, ROOT } from "./toolchain.ts";

const TEST_TIMEOUT_MS = 120_000;
/** What takes longer hangs; on an idle machine the likely tests take seconds, all of them a minute. */
const LIKELY_TIMEOUT_MS = 240_000;
const WIDER_TIMEOUT_MS = 900_000;
const COPIED = ["lib", "tests", "scripts", "docs", "main.ts", "deno.json", "deno.lock"];
/** Seeds of the simulated disk for each mutant; they are enough for all of them to be caught. */
const CRASH_SEEDS_DEFAULT = "300";

/** Directories of tests that a mutant has to pass to survive, in the order in which they run. */
const WIDER = ["log", "crash", "store", "fs", "format", "tools", "golden", "index"];
/** Takes long, and is about memory only. */
const LEFT_OUT: ReadonlySet<string> = new Set(["tests/store/million_keys_test.ts"]);

/** A copy of the project in a temporary directory. */
export class MutationWorkspace {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Copies the project as it is in the working tree. */
  static async create(): Promise<MutationWorkspace> {
    const path = await Deno.makeTempDir({ prefix: "cairn-mutation-" });
    for (const name of COPIED) await copy(`${ROOT}/${name}`, `${path}/${name}`);
    await Deno.symlink(`${ROOT}/node_modules`, `${path}/node_modules`);
    return new MutationWorkspace(path);
  }

  /** Removes the copy. */
  remove(): void {
    Deno.removeSync(this.#path, { recursive: true });
  }

  /**
   * Checks the types of all mutants at once, each mutated file under a name of its own beside the
   * original. Returns what is wrong.
   */
  async findInvalid(mutants: readonly Mutant[]): Promise<string | undefined> {
    const variants: string[] = [];
    for (const [number, mutant] of mutants.entries()) {
      for (const [file, text] of this.#mutate(editsOf(mutant)) ?? []) {
        const variant = `${this.#path}/${file.replace(/\.ts$/, `.mutant${number}.ts`)}`;
        await Deno.writeTextFile(variant, text);
        variants.push(variant);
      }
    }
    const { success, output } = await this.#run(WIDER_TIMEOUT_MS, Deno.execPath(), [
      "check",
      "--frozen",
      "--quiet",
      ...variants,
    ]);
    for (const variant of variants) await Deno.remove(variant);
    return success ? undefined : output;
  }

  /** Runs all tests on the engine as it is; returns the one that fails. */
  async runAllTests(): Promise<string | undefined> {
    return await this.#test(this.#widerTests([]), WIDER_TIMEOUT_MS);
  }

  /** Makes the mutant, and runs tests until one fails; if `quick`, only the likely ones. */
  async judge(mutant: Mutant, quick: boolean): Promise<Outcome> {
    const mutated = this.#mutate(editsOf(mutant));
    if (mutated === undefined) return { kind: "notApplicable", file: mutant.file };
    const originals = new Map([...mutated.keys()].map((file) => [file, this.#read(file)]));
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      for (const [file, text] of mutated) await Deno.writeTextFile(`${this.#path}/${file}`, text);
      const likely = mutant.tests.map((name) => `tests/${name}_test.ts`);
      const by = await this.#test(likely, LIKELY_TIMEOUT_MS) ??
        (quick ? undefined : await this.#test(this.#widerTests(likely), WIDER_TIMEOUT_MS));
      if (by !== undefined) return { kind: "caught", by, seconds: seconds() };
      return { kind: "survived", seconds: seconds() };
    } finally {
      for (const [file, text] of originals) await Deno.writeTextFile(`${this.#path}/${file}`, text);
    }
  }

  /** The mutated text of each file; undefined if an edit has no place, or more than one. */
  #mutate(edits: readonly Edit[]): Map<string, string> | undefined {
    const texts = new Map<string, string>();
    for (const edit of edits) {
      const before = texts.get(edit.file) ?? this.#read(edit.file);
      const after = applyEdit(before, edit);
      if (after === undefined) return undefined;
      texts.set(edit.file, after);
    }
    return texts;
  }

  #read(file: string): string {
    return Deno.readTextFileSync(`${this.#path}/${file}`);
  }

  #widerTests(without: readonly string[]): string[] {
    return WIDER.flatMap((directory) =>
      [...Deno.readDirSync(`${this.#path}/tests/${directory}`)].map(({ name }) => name)
        .filter((name) => name.endsWith("_test.ts")).sort()
        .map((name) => `tests/${directory}/${name}`)
    ).filter((file) => !without.includes(file) && !LEFT_OUT.has(file));
  }

  /** Runs test files until a test fails; returns which, undefined if none does. */
  async #test(files: readonly string[], timeoutMs: number): Promise<string | undefined> {
    const { success, output, timedOut } = await this.#run(timeoutMs, BUN, [
      "test",
      "--bail",
      `--timeout=${TEST_TIMEOUT_MS}`,
      ...files.map((file) => `./${file}`),
    ]);
    if (success) return undefined;
    const file = [...output.matchAll(/^(tests\/\S+_test\.ts):$/gm)].at(-1)?.[1] ?? "no file";
    if (timedOut) return `the time limit of ${timeoutMs / 1000} s only (it hangs), in ${file}`;
    const test = /^\(fail\) (.*?)(?: \[[\d.]+ ?m?s\])?$/m.exec(output)?.[1];
    const hangs = /this test timed out after/.test(output)
      ? " by its time limit only (it hangs),"
      : "";
    if (test !== undefined) return `"${test}"${hangs} (${file})`;
    return `the end of the test process, in ${file}: ${output.trim().slice(-300)}`;
  }

  async #run(
    timeoutMs: number,
    command: string,
    args: string[],
  ): Promise<{ success: boolean; output: string; timedOut: boolean }> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    try {
      const { success, stdout, stderr } = await new Deno.Command(command, {
        args,
        cwd: this.#path,
        env: {
          CAIRN_CRASH_SEEDS: Deno.env.get("CAIRN_CRASH_SEEDS") ?? CRASH_SEEDS_DEFAULT,
          DENO_EXEC_PATH: Deno.execPath(),
          DENO_NO_UPDATE_CHECK: "1",
          NO_COLOR: "1",
        },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        signal: controller.signal,
      }).output();
      const decoder = new TextDecoder();
      const output = decoder.decode(stdout) + decoder.decode(stderr);
      return { success, output, timedOut: controller.signal.aborted };
    } finally {
      clearTimeout(timer);
    }
  }
}

async function copy(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(`${from}/${name}`, `${to}/${name}`);
}
