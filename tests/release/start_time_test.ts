/** How long the executable takes to start, in time of the processor: others may be using it too. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { CAIRN } from "../support/cairn_process.ts";
import { testUnless } from "../support/test_unless.ts";

const LIMIT_SECONDS = 0.04;
/** One that nothing disturbed is enough. */
const RUNS = 20;

function missing(): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  return spawnSync("bash", ["--version"]).error === undefined ? undefined : "there is no bash";
}

testUnless(missing(), "`cairn version` takes less than 40 ms of the processor", () => {
  const script = `TIMEFORMAT='%U %S'; for run in {1..${RUNS}}; do time "$1" version; done`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script, "bash", CAIRN], {
    encoding: "utf8",
    env: { LC_ALL: "C" },
  });
  assert.equal(status, 0, stderr);
  assert.equal(stdout.match(/^cairn /gm)?.length, RUNS);
  const seconds = stderr.trim().split("\n").map((line) => {
    const [, user, system] = /^(\d+\.\d+) (\d+\.\d+)$/.exec(line) ?? assert.fail(line);
    return Number(user) + Number(system);
  });
  assert.equal(seconds.length, RUNS);
  const best = Math.min(...seconds);
  assert(best > 0 && best < LIMIT_SECONDS, `${best} s, and ${seconds.join(" ")}`);
});
