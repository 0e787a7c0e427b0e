/** The file that an export or a value goes to: complete under its name, or not there at all. */

import { closeSync, openSync, rmSync } from "node:fs";
import process from "node:process";
import { CliError } from "../cli_error.ts";
import { Output } from "../descriptor.ts";
import { renameDurably } from "../durable_name.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { onInterrupt } from "../interruption.ts";
import { systemReason } from "../system_reason.ts";

/**
 * Lets `write` fill a file beside `path`, and gives it its name when it is whole and durable. Of a new
 * file nobody else may read, unless `mode` says otherwise.
 */
export async function writeWholeFile(
  path: string,
  write: (output: Output) => Promise<void>,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  let fd: number;
  try {
    fd = openSync(temporary, "wx", mode);
  } catch (error) {
    throw failure(path, error);
  }
  const remove = () => rmSync(temporary, { force: true });
  const forget = onInterrupt(remove);
  try {
    const output = new Output(fd, path);
    await write(output);
    output.flush();
    try {
      renameDurably(fd, temporary, path);
    } catch (error) {
      throw failure(path, error);
    }
  } catch (error) {
    remove();
    throw error;
  } finally {
    forget();
    closeSync(fd);
  }
}

/** Lets `write` write into a device or a pipe that has a name. */
export async function writeInto(
  path: string,
  write: (output: Output) => Promise<void>,
): Promise<void> {
  let fd: number;
  try {
    fd = openSync(path, "w");
  } catch (error) {
    throw failure(path, error);
  }
  try {
    const output = new Output(fd, path);
    await write(output);
    output.flush();
  } finally {
    closeSync(fd);
  }
}

function failure(path: string, error: unknown): CliError {
  return new CliError(EXIT_CODE.io, `cannot write ${path}: ${systemReason(error)}`, {
    cause: error,
  });
}
