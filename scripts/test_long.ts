/**
 * Runs tests for longer than the gate has time for, and says in numbers what they did:
 *
 *     deno task test:kill
 *     CAIRN_POWER_ROUNDS=1000 deno task test:power random_cut
 *
 * What follows the name of the directory are beginnings of the names of test files.
 */

import process from "node:process";
import { ROOT } from "./toolchain.ts";

/** What is set in the environment unless it is already, by directory of tests. */
const DEFAULTS: Record<string, Record<string, string>> = {
  cli: { CAIRN_IMPORT_MIB: "1024" },
  kill: { CAIRN_KILL_ALL: "1", CAIRN_KILL_ROUNDS: "100" },
  power: { CAIRN_POWER_ROUNDS: "200" },
  linearizability: { CAIRN_LINEARIZABILITY_RUNS: "20" },
};

const [directory, ...names] = process.argv.slice(2);
const defaults = DEFAULTS[directory ?? ""];
if (defaults === undefined) {
  console.error(`Name a directory of tests: ${Object.keys(DEFAULTS).join(", ")}`);
  Deno.exit(2);
}
const files = [...Deno.readDirSync(`${ROOT}/tests/${directory}`)]
  .map(({ name }) => name)
  .filter((name) => name.endsWith("_test.ts"))
  .filter((name) => names.length === 0 || names.some((beginning) => name.startsWith(beginning)))
  .sort();
if (files.length === 0) {
  console.error(`There is no test in tests/${directory} that begins with ${names.join(", ")}`);
  Deno.exit(2);
}
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--frozen", "--no-check", "-A", ...files.map((n) => `./tests/${directory}/${n}`)],
  cwd: ROOT,
  env: { CAIRN_COUNTS: "1", ...defaults, ...Deno.env.toObject(), DENO_NO_UPDATE_CHECK: "1" },
}).spawn().status;
Deno.exit(success ? 0 : 1);
