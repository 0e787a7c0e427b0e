/** Runs the session of docs/tools.md, command by command, and compares every line that is printed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { EXIT_CODE } from "../../lib/cli/exit_code.ts";
import { CAIRN, runCairn } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { codeBlocks, readText, tableUnder } from "./markdown.ts";

const TOOLS = readText("docs/tools.md");
const END_OF_OUTPUT = "\u0001";

function missing(): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  return ["bash", "dd"].find((name) => spawnSync(name, ["--version"]).error !== undefined);
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

testUnless(missing(), "tools.md: the session prints what it says", () => {
  using directory = new TemporaryDirectory();
  const blocks = codeBlocks(TOOLS).filter(({ info }) => info === "console");
  assert.equal(blocks.length, 1);
  const steps = session(blocks[0]!.code);
  assert(steps.length > 10);
  // One shell for all, so that `$?` is that of the command before.
  const script = steps.map(({ command }) =>
    `${command}\nstatus=$?; printf '\\001'; (exit $status)\n`
  );
  const { stdout } = spawnSync("bash", ["-c", `exec 2>&1\n${script.join("")}`], {
    cwd: directory.path,
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
});

testUnless(missing(), "tools.md: every option it names is one of the command", async () => {
  for (const command of ["verify", "inspect", "repair"]) {
    const usage = codeBlocks(TOOLS).find(({ code }) => code.startsWith(`cairn ${command} `))!;
    const { text } = await runCairn(["help", command]);
    for (const [option] of usage.code.matchAll(/--[\w-]+/g)) {
      assert(text.includes(option), `${command} has no ${option}`);
    }
  }
});

test("tools.md: the exit codes are those of the program", () => {
  const codes: number[] = Object.values(EXIT_CODE);
  for (const command of ["verify", "inspect", "repair"]) {
    for (const row of tableUnder(TOOLS, `cairn ${command}`)) {
      assert(codes.includes(Number(row["exit code"])), `${command}: ${row["exit code"]}`);
    }
  }
});
