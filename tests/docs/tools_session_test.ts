/** Runs the session of docs/tools.md, command by command, and compares every line that is printed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { EXIT_CODE } from "../../lib/cli/exit_code.ts";
import { CAIRN, runCairn } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { checkSession } from "./console_session.ts";
import { codeBlocks, readText, tableUnder } from "./markdown.ts";

const TOOLS = readText("docs/tools.md");

function missing(): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  return ["bash", "dd"].find((name) => spawnSync(name, ["--version"]).error !== undefined);
}

testUnless(missing(), "tools.md: the session prints what it says", () => {
  using directory = new TemporaryDirectory();
  const blocks = codeBlocks(TOOLS).filter(({ info }) => info === "console");
  assert.equal(blocks.length, 1);
  checkSession(blocks[0]!.code, directory.path);
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
