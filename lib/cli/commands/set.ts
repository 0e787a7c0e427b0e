import { isatty } from "node:tty";
import { type Command, Option } from "commander";
import { VALUE_BYTES_MAX_DEFAULT } from "../../limits.ts";
import type { SetOptions } from "../../mod.ts";
import { integerBetween, parseDuration } from "../argument.ts";
import { CliError } from "../cli_error.ts";
import { type Output, readFully } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { currentSession } from "../session.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";

interface SetCommandOptions extends GlobalOptions {
  ttl?: number;
  ifAbsent?: true;
  ifVersion?: number;
}

const STDIN = 0;

/** `cairn set KEY [VALUE|-]` */
export function addSet(program: Command, stdout: Output): void {
  addTargetOptions(program.command("set"))
    .description("store a value; from standard input if it is - or left out")
    .argument("<key>").argument("[value]")
    .option("--ttl <duration>", "forget the key after 500ms, 90s, 15m, 2h, 7d", parseDuration)
    .addOption(
      new Option("--if-absent", "only if the key does not exist").conflicts("ifVersion"),
    )
    .option(
      "--if-version <n>",
      "only if the key's version is this one",
      integerBetween(1, Number.MAX_SAFE_INTEGER),
    )
    .addHelpText("after", HELP_TAIL)
    .action(async (key: string, value: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<SetCommandOptions>();
      const bytes = value === undefined || value === "-" ? readValue(value) : value;
      await using target = await openTarget(command, "create");
      const { version } = await target.set(key, bytes, setOptions(options));
      if (options.json) stdout.writeLine(JSON.stringify({ key, version }));
      stdout.flush();
    });
}

const HELP_TAIL = `
Examples:
  cairn set greeting "hello world"
  cairn set session:42 --ttl 15m < session.json
  cairn set lock me --if-absent --url http://127.0.0.1:8620`;

function readValue(value: string | undefined): Uint8Array {
  if (currentSession() !== undefined) {
    throw new CliError(
      EXIT_CODE.usage,
      "the value is missing: give it after the key, since standard input holds the commands",
    );
  }
  if (value === undefined && isatty(STDIN)) {
    throw new CliError(
      EXIT_CODE.usage,
      "the value is missing: give it after the key, or pipe it in",
    );
  }
  return readFully(STDIN, VALUE_BYTES_MAX_DEFAULT, "the value on standard input");
}

function setOptions({ ttl, ifAbsent, ifVersion }: SetCommandOptions): SetOptions {
  return {
    ...(ttl !== undefined && { ttl }),
    ...(ifAbsent !== undefined && { ifAbsent }),
    ...(ifVersion !== undefined && { ifVersion }),
  };
}
