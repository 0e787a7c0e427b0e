/** Runs the sessions of the documentation, and compares every line that is printed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { CAIRN } from "../support/cairn_process.ts";

const END_OF_OUTPUT = "\u0001";

/** Runs a block of the kind `console` in the directory `cwd`. */
export function checkSession(code: string, cwd: string): void {
  const steps = session(code);
  assert(steps.length > 10);
  // One shell for all, so that `$?` is that of the command before.
  const script = steps.map(({ command }) =>
    `${command}\nstatus=$?; printf '\\001'; (exit $status)\n`
  );
  const { stdout } = spawnSync("bash", ["-c", `exec 2>&1\n${script.join("")}`], {
    cwd: cwd,
    encoding: "utf8",
    env: { ...process.env, PATH: `${dirname(CAIRN)}:${process.env["PATH"]}` },
  });
  const outputs = stdout.split(END_OF_OUTPUT);
  assert.equal(outputs.length, steps.length + 1, stdout);
  for (const [index, { command, output }] of steps.entries()) {
    const expected = output.split("\n");
    const found = outputs[index]!.split("\n");
    assert.equal(found.length, expected.length, `${command}\n${outputs[index]}`);
    found.forEach((line, at) => assert.match(line, patternOf(expected[at]!), command));
  }
}

/** What `$ ` begins is a command, and what follows is its output. */
function session(code: string): { command: string; output: string }[] {
  return code.split(/^\$ /m).slice(1).map((step) => {
    const [command, ...output] = step.split("\n");
    return { command: command!, output: output.join("\n") };
  });
}

/** The text with anything in the place of each `…`. */
function patternOf(text: string): RegExp {
  return new RegExp(
    `^${text.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".+")}$`,
  );
}
