/**
 * Crashes the store on a simulated disk, as often as asked for:
 *
 *     deno task test:crash --seeds 10000
 *     deno task test:crash --seed 7
 */

import { parseArgs } from "node:util";
import { ROOT } from "./toolchain.ts";

const SEEDS_DEFAULT = 5000;

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" } },
});
for (const [name, value] of Object.entries(values)) {
  if (/^[0-9]+$/.test(value)) continue;
  console.error(`--${name} is ${JSON.stringify(value)}: it must be a number`);
  Deno.exit(2);
}
const env = values.seed === undefined
  ? { CAIRN_CRASH_SEEDS: values.seeds ?? String(SEEDS_DEFAULT) }
  : { CAIRN_CRASH_SEED: values.seed };
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--frozen", "--no-check", "-A", "tests/crash/power_cut_test.ts"],
  cwd: ROOT,
  env,
}).spawn().status;
Deno.exit(code);
