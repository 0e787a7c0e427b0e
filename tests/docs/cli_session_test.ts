/** Holds docs/cli.md against the program: its session, its options, its exit codes. */

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

const CLI = readText("docs/cli.md");

function missing(): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  return spawnSync("bash", ["--version"]).error === undefined ? undefined : "there is no bash";
}

testUnless(missing(), "cli.md: the session prints what it says", () => {
  using directory = new TemporaryDirectory();
  const blocks = codeBlocks(CLI).filter(({ info }) => info === "console");
  assert.equal(blocks.length, 1);
  checkSession(blocks[0]!.code, directory.path);
});

testUnless(missing(), "cli.md: every option it names is one of a command", async () => {
  const help = await Promise.all(
    ["import", "export", "watch", "set", "serve", "bench", "shell", "get"].map((name) =>
      runCairn(["help", name])
    ),
  );
  const known = help.map(({ text }) => text).join("");
  for (const [, option] of CLI.matchAll(/`(--[\w-]+)/g)) assert(known.includes(option!), option);
});

testUnless(missing(), "help: every command that works on data has examples and --url", async () => {
  const names = ["set", "get", "del", "list", "import", "export", "watch", "stats", "flush"];
  for (const name of [...names, "compact", "backup", "restore", "bench"]) {
    const { text } = await runCairn(["help", name]);
    assert.match(text, /^Examples:\n {2}\S/m, name);
    if (name !== "restore") assert.match(text, /--token-file/, name);
  }
});

test("cli.md: the exit codes are those of the program", () => {
  const codes: number[] = Object.values(EXIT_CODE);
  const rows = tableUnder(CLI, "Exit codes");
  assert(rows.length > 5);
  for (const row of rows) assert(codes.includes(Number(row["exit code"])), row["exit code"]);
});
