/** The commands and options of `cairn`, put together. */

import { Command } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addBench } from "./commands/bench.ts";
import { addCompact } from "./commands/compact.ts";
import { addDel } from "./commands/del.ts";
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
import { addStats } from "./commands/stats.ts";
import { addVerify } from "./commands/verify.ts";
import { addVersion, versionLine } from "./commands/version.ts";
import { addWatch } from "./commands/watch.ts";
import { Output, writeFully } from "./descriptor.ts";
import { addGlobalOptions, type GlobalOptions } from "./global_options.ts";
import { configureLogging } from "./logging.ts";
import { checkTarget } from "./target/choose_target.ts";

const STDOUT = 1;
const STDERR = 2;

/** Builds the parser. It throws instead of exiting, and leaves error messages to its caller. */
export function createProgram(): Command {
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
    .addHelpText("after", HELP_TAIL)
    .hook("preAction", (_program, command) => {
      checkTarget(command);
      const { logLevel, logFormat } = command.optsWithGlobals<GlobalOptions>();
      const level = logLevel ?? (command.name() === "serve" ? "info" : "silent");
      configureLogging(level, logFormat);
    });
  addGlobalOptions(program);

  const stdout = new Output(STDOUT);
  addServe(program, stdout);
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
  addRestore(program, stdout);
  addBench(program, stdout);
  addVerify(program, stdout);
  addRepair(program, stdout);
  addInspect(program, stdout);
  addVersion(program, stdout);
  addHelp(program);
  return program;
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
