/** The options that every command takes, before or after its name. */

import process from "node:process";
import { type Command, Option } from "commander";
import { parseNonEmpty } from "./argument.ts";
import { parseServerUrl } from "./server_url.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./logging.ts";

/** What {@link addGlobalOptions} makes of the command line. */
export interface GlobalOptions {
  db: string;
  /** A server instead of a directory. */
  url?: URL;
  json?: true;
  logLevel?: LogLevel;
  /** By default it depends on whether a person is looking. */
  logFormat?: LogFormat;
}

/** Where the store is when nothing says otherwise. */
const DIRECTORY_DEFAULT = "./cairn-data";

/** Declares the options on the program. */
export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option("--db <dir>", "directory of the store (env: CAIRN_DB)")
        .argParser(parseNonEmpty)
        .default(process.env["CAIRN_DB"] || DIRECTORY_DEFAULT),
    )
    .addOption(
      fromEnvironment(
        new Option("--url <url>", "a running server instead of a directory").argParser(
          parseServerUrl,
        ),
        "CAIRN_URL",
      ),
    )
    .option("--json", "print JSON")
    .addOption(
      fromEnvironment(
        new Option("--log-level <level>", "log to stderr").choices(LOG_LEVELS),
        "CAIRN_LOG_LEVEL",
      ),
    )
    .addOption(
      fromEnvironment(
        new Option("--log-format <format>", "how log entries look; on a terminal pretty, else json")
          .choices(LOG_FORMATS),
        "CAIRN_LOG_FORMAT",
      ),
    );
}

/** A variable that is set to nothing counts as not set. */
function fromEnvironment(option: Option, name: string): Option {
  return process.env[name] === "" ? option : option.env(name);
}
