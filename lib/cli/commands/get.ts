import { lstatSync } from "node:fs";
import type { Command } from "commander";
import type { Entry } from "../../mod.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { addTargetOptions, openTarget } from "../target/choose_target.ts";
import { quoted } from "../terminal_text.ts";
import { jsonValue } from "../text_format.ts";

interface GetCommandOptions extends GlobalOptions {
  out?: string;
}

/** `cairn get KEY` */
export function addGet(program: Command, stdout: Output): void {
  addTargetOptions(program.command("get"))
    .description("print a value, byte for byte")
    .argument("<key>")
    .option("--out <file>", "write it to a file instead")
    .addHelpText("after", HELP_TAIL)
    .action(async (key: string, _options, command: Command) => {
      const { json, out } = command.optsWithGlobals<GetCommandOptions>();
      await using target = await openTarget(command, "read");
      const entry = await target.getEntry(key);
      if (entry === undefined) {
        throw new CliError(EXIT_CODE.notFound, `there is no key ${quoted(key)} ${target.place}`);
      }
      if (out !== undefined) return await writeFile(out, json ? encodeJson(entry) : entry.value);
      stdout.write(json ? encodeJson(entry) : entry.value);
      if (!json && stdout.isTerminal) stdout.write("\n");
      stdout.flush();
    });
}

const HELP_TAIL = `
Exits with 1 if there is no such key.

Examples:
  cairn get greeting
  cairn get photo --out photo.png
  cairn get greeting --json --url http://127.0.0.1:8620`;

function encodeJson({ key, value, version, expiresAt }: Entry): Uint8Array {
  const document = { key, ...jsonValue(value), version, expiresAt };
  return new TextEncoder().encode(`${JSON.stringify(document)}\n`);
}

/** Devices, pipes and links are written to as they are; a file is replaced as a whole. */
async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  const { writeInto, writeWholeFile } = await import("../transfer/export_file.ts");
  const write = (output: Output) => Promise.resolve(output.write(bytes));
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) return await writeInto(path, write);
  await writeWholeFile(path, write, (stat?.mode ?? 0o666) & 0o777);
}
