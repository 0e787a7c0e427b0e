/** Files of secrets and certificates: read once, with refusals that never say what is in them. */

import { closeSync, fstatSync, openSync } from "node:fs";
import process from "node:process";
import { CliError } from "./cli_error.ts";
import { readFully } from "./descriptor.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { systemReason } from "./system_reason.ts";
import { quoted } from "./terminal_text.ts";

const FILE_BYTES_MAX = 1 << 20;
/** The group may read, for services that get their secrets by a group; others may do nothing. */
const FORBIDDEN_MODE = 0o027;

/**
 * The text of a file that only its owner, and perhaps a group, may read. `option` is how the user
 * named it. A pipe will do, as in `--token-file <(pass show cairn)`.
 */
export function readSecretFile(option: string, path: string): string {
  return readTextFile(option, path, true);
}

/** The text of a file of certificates in PEM form, of which the first is looked at. */
export function readCertificates(option: string, path: string): string {
  const text = readTextFile(option, path);
  const [first] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
  // Loaded here, so that commands start without it.
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  try {
    new X509Certificate(first ?? "");
  } catch {
    throw new CliError(
      EXIT_CODE.usage,
      `${option} ${
        quoted(path)
      } holds no certificate in PEM form: name the file of the authority, ` +
        "or of the server's own certificate if nobody else has signed it",
    );
  }
  return text;
}

/** The text of a file that everybody may read. */
export function readTextFile(option: string, path: string, secret = false): string {
  const what = `${option} ${quoted(path)}`;
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new CliError(EXIT_CODE.usage, `cannot read ${what}: ${systemReason(error)}`);
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new CliError(EXIT_CODE.usage, `${what} is a directory`);
    if (secret && process.platform !== "win32" && (stat.mode & FORBIDDEN_MODE) !== 0) {
      throw new CliError(
        EXIT_CODE.usage,
        `${what} can be read or changed by other users: run chmod 600 on it, and if others may ` +
          "have seen what is in it, replace that",
      );
    }
    return new TextDecoder().decode(readFully(fd, FILE_BYTES_MAX, what));
  } finally {
    closeSync(fd);
  }
}
