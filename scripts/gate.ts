/**
 * Everything a change must pass: `deno task test`. Stops at the first step that fails; the last line
 * counts the tests, each step without tests being one.
 */

import { BUN, ROOT } from "./toolchain.ts";

interface Step {
  name: string;
  command: string;
  args: string[];
  /** The step has failed if it prints this, however it ends. */
  forbidden?: RegExp;
}

interface Count {
  passed: number;
  failed: number;
}

const DENO = Deno.execPath();
const BUN_TEST_TIMEOUT_MS = 300_000;
const EXCERPT_LINES = 40;
/** Tests that need the executable; the rest are the engine's, and run under Bun too. */
const END_TO_END = new Set([
  "cli",
  "docs",
  "kill",
  "linearizability",
  "power",
  "release",
  "server",
]);
/** Of those, what can be seen under Bun only; it needs no executable. */
const BUN_ONLY = ["./tests/server/response_memory_test.ts"];

const directories = [...Deno.readDirSync(`${ROOT}/tests`)]
  .filter((entry) => entry.isDirectory && entry.name !== "support")
  .map((entry) => entry.name).sort();
const engine = [
  ...directories.filter((name) => !END_TO_END.has(name)).map((name) => `./tests/${name}`),
  ...[...Deno.readDirSync(`${ROOT}/tests`)].filter((entry) => entry.name.endsWith("_test.ts"))
    .map((entry) => `./tests/${entry.name}`),
];
const endToEnd = directories.filter((name) => END_TO_END.has(name)).map((name) =>
  `./tests/${name}`
);

const steps: Step[] = [
  deno("format", "fmt", "--check"),
  deno("lint", "lint"),
  deno("types", "check", "--frozen", "--quiet"),
  deno("engine under Deno", "test", "--frozen", "--no-check", "-A", ...engine),
  {
    name: "engine under Bun",
    command: BUN,
    args: ["test", `--timeout=${BUN_TEST_TIMEOUT_MS}`, ...engine, ...BUN_ONLY],
  },
  deno("build", "run", "--frozen", "-A", "scripts/build.ts"),
  deno("executable end to end", "test", "--frozen", "--no-check", "-A", ...endToEnd),
  { ...deno("package", "publish", "--dry-run", "--allow-dirty"), forbidden: /\bwarning\b/i },
];

const total: Count = { passed: 0, failed: 0 };
/** Tests that did not run, each with its reason. */
const skipped = new Set<string>();
for (const step of steps) {
  const started = performance.now();
  console.log(`== ${step.name}`);
  const { success, output } = await run(step);
  const count = countOf(output) ?? { passed: success ? 1 : 0, failed: 0 };
  for (const name of skippedIn(output)) skipped.add(name);
  total.passed += count.passed;
  total.failed += success ? 0 : Math.max(1, count.failed);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  // Bun says what went wrong where it happened, perhaps thousands of lines further up.
  if (!success) { for (const excerpt of failuresOf(output)) console.log(excerpt); }
  console.log(`== ${step.name}: ${success ? "ok" : "FAILED"} in ${seconds} s\n`);
  if (!success) break;
}
for (const name of skipped) console.log(`not run: ${name}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
Deno.exit(total.failed === 0 ? 0 : 1);

function deno(name: string, ...args: string[]): Step {
  return { name, command: DENO, args };
}

/** Runs a step, showing its output as it comes. */
async function run(
  { command, args, forbidden }: Step,
): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(command, {
    args,
    cwd: ROOT,
    // Tests start further processes of this same Deno, which need not be on PATH.
    env: { DENO_EXEC_PATH: DENO, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const show = async (from: ReadableStream<Uint8Array>, to: typeof Deno.stdout) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      output += decoder.decode(chunk, { stream: true });
      for (let done = 0; done < chunk.length;) done += await to.write(chunk.subarray(done));
    }
  };
  const [status] = await Promise.all([
    child.status,
    show(child.stdout, Deno.stdout),
    show(child.stderr, Deno.stderr),
  ]);
  return { success: status.success && forbidden?.test(output) !== true, output };
}

/** What Bun printed before each test that failed. */
function failuresOf(output: string): string[] {
  const summary = output.lastIndexOf(" tests failed:");
  const lines = output.slice(0, summary < 0 ? undefined : summary).split("\n");
  return lines.flatMap((line, index) => {
    if (!line.startsWith("(fail) ")) return [];
    const before = lines.slice(Math.max(0, index - EXCERPT_LINES), index);
    const previous = before.findLastIndex((each) => /^\((?:pass|fail|skip)\) /.test(each));
    return [...before.slice(previous + 1), line].join("\n");
  });
}

/** Names of tests that were skipped, which end with why. */
function skippedIn(output: string): string[] {
  // deno-lint-ignore no-control-regex
  const lines = output.replace(/\x1b\[[0-9;]*m/g, "").split("\n");
  return lines.flatMap((line) =>
    /^(?:\(skip\) )?(.+ \[skipped: .+?\])(?: |$)/.exec(line)?.[1] ?? []
  );
}

/** Reads the summary of `deno test` or `bun test`; undefined if there is none. */
function countOf(output: string): Count | undefined {
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const byDeno = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/m.exec(plain);
  if (byDeno !== null) return { passed: Number(byDeno[1]), failed: Number(byDeno[2]) };
  const byBun = /^ *(\d+) pass\n(?: *\d+ \w+\n)*? *(\d+) fail$/m.exec(plain);
  if (byBun !== null) return { passed: Number(byBun[1]), failed: Number(byBun[2]) };
  return undefined;
}
