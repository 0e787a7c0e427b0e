import type { Command } from "commander";
import { KvError } from "../../errors.ts";
import { integerBetween } from "../argument.ts";
import type { Output } from "../descriptor.ts";
import type { GlobalOptions } from "../global_options.ts";
import { onInterrupt } from "../interruption.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import type { FollowedChange } from "../target/target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, jsonValue } from "../text_format.ts";

interface WatchOptions extends GlobalOptions {
  since?: number;
  prefix?: string;
  values?: true;
}

/** `cairn watch` */
export function addWatch(program: Command, stdout: Output): void {
  addTargetOptions(program.command("watch"))
    .description("print what is written, one change a line, until Ctrl-C")
    .option(
      "--since <version>",
      "first what was written after this version; 0 is all that the log has",
      integerBetween(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--prefix <text>", "only keys that begin with this")
    .option("--values", "with their values, after a tab")
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const { since, prefix, values = false, json } = command.optsWithGlobals<WatchOptions>();
      await using target = await openTarget(command, "read");
      onInterrupt(() => {}); // there is nothing to clear up
      const show = json ? showJson : showText;
      let version = since;
      try {
        for await (const change of target.follow({ since, prefix, values })) {
          version = change.version;
          stdout.writeLine(show(change, stdout.isTerminal));
          // Whoever reads wants it now.
          stdout.flush();
        }
      } catch (error) {
        throw error instanceof KvError && error.code === "Compacted"
          ? compacted(error, version)
          : error;
      }
    });
}

function compacted(cause: KvError, version: number | undefined): KvError {
  return new KvError(
    "Compacted",
    `not all changes after version ${version} are there any more, since deletes were compacted ` +
      "away: take 'version' of 'cairn stats --json', 'cairn list' or export what is there, and " +
      "watch --since that version (cairn serve --retain-changes keeps more)",
    { cause },
  );
}

/** `42 set greeting` */
function showText({ version, op, key, value, size }: FollowedChange, isTerminal: boolean): string {
  const safe = isTerminal ? escapeControls : (text: string) => text;
  const text = value !== undefined
    ? `\t${safe(new TextDecoder().decode(value))}`
    : size !== undefined
    ? `\t(${formatBytes(size)})`
    : "";
  return `${version} ${op} ${safe(key)}${text}`;
}

function showJson({ version, op, key, value, size, expiresAt }: FollowedChange): string {
  return JSON.stringify({
    version,
    op,
    key,
    ...(value !== undefined && jsonValue(value)),
    size,
    expiresAt,
  });
}

const HELP_TAIL = `
A line is the version, set or del, and the key. Of a server, it goes on by itself when the
connection drops; to go on later, pass the last version that was printed with --since.
A directory is looked at twice a second, and read anew when another process has written
to it: where a server has it open, --url is quicker and costs less.

Examples:
  cairn watch --url http://127.0.0.1:8620
  cairn watch --prefix user: --since 0 --values --json`;
