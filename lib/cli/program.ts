/** The commands and options of `cairn`, put together. */

import { Command } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addBench } from "./commands/bench.ts";
import { addCompact } from "./commands/compact.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDel } from "./commands/del.ts";
import { addExit } from "./commands/exit.ts";
import { addExport } from "./commands/export.ts";
import { addFlush } from "./commands/flush.ts";
import { addGet } from "./commands/get.ts";
import { addHelp } from "./commands/help.ts";
import { addImport } from "./commands/import.ts";
import { addInspect } from "./commands/inspect.ts";
import { addList } from "./commands/list.ts";
import { addRepair } from "./commands/repair.ts";
import { addRestore } from "./commands/restore.ts";
import { addServe } from "./commands/serve.ts";
import { addSet } from "./commands/set.ts";
import { addShell } from "./commands/shell.ts";
import { addStats } from "./commands/stats.ts";
import { addVerify } from "./commands/verify.ts";
import { addVersion, versionLine } from "./commands/version.ts";
import { addWatch } from "./commands/watch.ts";
import { Output, writeFully } from "./descriptor.ts";
import { addGlobalOptions, type GlobalOptions } from "./global_options.ts";
import { configureLogging } from "./logging.ts";
import type { ShellSurroundings } from "./shell/shell.ts";
import { checkTarget } from "./target/choose_target.ts";

const STDOUT = 1;
const STDERR = 2;

/**
 * Builds the parser. It throws instead of exiting, and leaves error messages to its caller. For a
 * line of a shell, it has those commands that make sense there, on the store of the shell.
 */
export function createProgram(shell?: ShellSurroundings): Command {
  const program = new Command("cairn");
  program
    .description("Crash-safe key/value store: one directory, one executable.")
    .usage("<command> [options]")
    .version(versionLine(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false) // our own says so when it does not know the command
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => writeFully(STDOUT, new TextEncoder().encode(text)),
      writeErr: (text) => writeFully(STDERR, new TextEncoder().encode(text)),
      outputError: () => {}, // runCli prints the one line
    })
    .exitOverride()
    .addHelpText("after", shell === undefined ? HELP_TAIL : SHELL_HELP_TAIL)
    .hook("preAction", (program, command) => {
      checkTarget(command);
      if (shell !== undefined && program.getOptionValueSource("logLevel") !== "cli") return;
      const { logLevel, logFormat } = command.optsWithGlobals<GlobalOptions>();
      const level = logLevel ?? (command.name() === "serve" ? "info" : "silent");
      configureLogging(level, logFormat);
    });
  addGlobalOptions(program);

  const stdout = new Output(STDOUT);
  if (shell === undefined) addServe(program, stdout);
  addSet(program, stdout);
  addGet(program, stdout);
  addDel(program, stdout);
  addList(program, stdout);
  addImport(program, stdout);
  addExport(program, stdout);
  addWatch(program, stdout);
  addStats(program, stdout);
  addFlush(program, stdout);
  addCompact(program, stdout);
  addBackup(program, stdout);
  if (shell === undefined) addRestore(program, stdout);
  if (shell === undefined) addBench(program, stdout);
  if (shell?.isDirectory ?? true) addVerify(program, stdout);
  if (shell === undefined) addRepair(program, stdout);
  addInspect(program, stdout);
  if (shell === undefined) {
    addShell(program, createProgram);
    addCompletion(program, stdout, createProgram);
  }
  addVersion(program, stdout);
  addHelp(program);
  if (shell !== undefined) prepareForShell(program, shell);
  return program;
}

/** The store is chosen already. */
function prepareForShell(program: Command, { db, json, leave }: ShellSurroundings): void {
  addExit(program, leave);
  program.setOptionValueWithSource("db", db, "default");
  if (json) program.setOptionValueWithSource("json", true, "default");
  const isChosen = /^--(?:db|url|token-file|tls-ca|version)$/;
  for (const option of [program, ...program.commands].flatMap((each) => each.options)) {
    if (isChosen.test(option.long ?? "")) option.hideHelp();
  }
}

const HELP_TAIL = `
Examples:
  cairn set greeting "hello world"
  cairn get greeting
  cairn set session:42 --ttl 15m < session.json
  cairn list --prefix session: --json
  cairn serve --http 127.0.0.1:8620

A key or value that begins with a dash goes after --: cairn set -- -x 1

Exit codes: 0 ok, 1 not found or condition failed, 2 usage, 3 connection,
4 corruption, 5 locked, 6 I/O, 130 interrupted.`;

const SHELL_HELP_TAIL = `
Examples:
  set greeting "hello world"
  get greeting
  list --prefix session: --json

Arguments are quoted as in other shells: "..." '...' \\ . One that begins with a dash goes
after --. 'help COMMAND' explains a command. Ctrl-C stops one that runs, Ctrl-D leaves.`;
