/** The options that import and export have in common. */

import { type Command, InvalidArgumentError, Option } from "commander";

/** What a file can be. */
export type TransferFormat = "ndjson" | "csv";

/** What {@link addFormatOptions} makes of the command line. */
export interface FormatOptions {
  format?: TransferFormat;
  delimiter: string;
}

/** Declares them. */
export function addFormatOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--format <format>", "by default what the name of the file ends with, or ndjson")
        .choices(["ndjson", "csv"]),
    )
    .addOption(
      new Option("--delimiter <character>", "between the fields of CSV, or the word tab")
        .argParser(parseDelimiter).default(",", "a comma"),
    );
}

/** The format of a file. */
export function formatOf(path: string, { format }: FormatOptions): TransferFormat {
  return format ?? (/\.csv$/i.test(path) ? "csv" : "ndjson");
}

function parseDelimiter(text: string): string {
  if (text === "tab") return "\t";
  if (/^[\x21-\x7e\t]$/.test(text) && !/["\w]/.test(text)) return text;
  throw new InvalidArgumentError("Give one character such as ; or |, or the word tab.");
}
