import type { Command } from "commander";
import type { Entry, ScanOptions } from "../../mod.ts";
import { integerBetween, parseNonEmpty } from "../argument.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import { escapeControls } from "../terminal_text.ts";
import { jsonValue } from "../text_format.ts";

interface ListCommandOptions extends GlobalOptions {
  prefix?: string;
  start?: string;
  end?: string;
  limit?: number;
  reverse?: true;
  values?: true;
}

/** `cairn list` */
export function addList(program: Command, stdout: Output): void {
  addTargetOptions(program.command("list"))
    .description("print keys in byte order, one a line")
    .option("--prefix <text>", "only keys that begin with this")
    .option("--start <key>", "from this key on", parseNonEmpty)
    .option("--end <key>", "up to this key, without it", parseNonEmpty)
    .option("--limit <n>", "at most so many", integerBetween(0, Number.MAX_SAFE_INTEGER))
    .option("--reverse", "from the last to the first")
    .option("--values", "with their values, after a tab")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ListCommandOptions>();
      await using target = await openTarget(command, "read");
      const show = options.json ? showJson : stdout.isTerminal ? showToPerson : showRaw;
      for await (const entry of target.scan(scanOptions(options))) {
        show(stdout, entry, options.values === true);
      }
      stdout.flush();
    });
}

const HELP_TAIL = `
Keys and values may hold tabs and line breaks: --json is exact.

Examples:
  cairn list --prefix user: --values
  cairn list --start b --end d --limit 10 --reverse
  cairn list --json --url http://127.0.0.1:8620`;

function scanOptions({ prefix, start, end, limit, reverse, values }: ListCommandOptions) {
  return {
    ...(prefix !== undefined && { prefix }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    ...(limit !== undefined && { limit }),
    ...(reverse !== undefined && { reverse }),
    values: values === true,
  } satisfies ScanOptions;
}

function showRaw(stdout: Output, { key, value }: Entry, withValue: boolean): void {
  stdout.write(key);
  if (withValue) {
    stdout.write("\t");
    stdout.write(value);
  }
  stdout.write("\n");
}

function showToPerson(stdout: Output, { key, value }: Entry, withValue: boolean): void {
  const text = withValue ? `\t${escapeControls(new TextDecoder().decode(value))}` : "";
  stdout.writeLine(escapeControls(key) + text);
}

function showJson(stdout: Output, entry: Entry, withValue: boolean): void {
  const { key, value, version, expiresAt } = entry;
  stdout.writeLine(
    JSON.stringify({ key, ...(withValue && jsonValue(value)), version, expiresAt }),
  );
}
