/** Errors as RESP clients know them: a prefix by which programs tell them apart, and a text. */

import { KvError, type KvErrorCode } from "../../../errors.ts";
import { error } from "./replies.ts";
import type { Reply } from "./reply.ts";

/** Thrown by commands to answer with an error. */
export class RespError extends Error {
  /** `text` is the whole reply: a prefix in capitals, a space, and what is wrong. */
  constructor(text: string) {
    super(text);
    this.name = "RespError";
  }
}

/** What was given to a command has not the form that it needs. */
export function syntaxError(): RespError {
  return new RespError("ERR syntax error");
}

/** A number is needed and there is none, or a larger one than 64 bits hold. */
export function notAnInteger(): RespError {
  return new RespError("ERR value is not an integer or out of range");
}

/** A command has too few or too many arguments; `name` is in lower case. */
export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`;
}

/** A container command has no such subcommand. */
export function unknownSubcommand(given: string, container: string): RespError {
  return new RespError(
    `ERR unknown subcommand '${given}'. Try ${container.toUpperCase()} HELP.`,
  );
}

/** Values may not get longer than the store accepts. */
export function stringTooLong(valueBytesMax: number): RespError {
  return new RespError(`ERR string exceeds maximum allowed size (${valueBytesMax} bytes)`);
}

/** Prefixes of the errors of a store, where it is not `ERR`. */
const PREFIX_BY_CODE: Partial<Record<KvErrorCode, string>> = {
  // The store takes no writes until it is opened again, which is what clients know by this name.
  Io: "MISCONF",
  NoSpace: "MISCONF",
  ReadOnly: "READONLY",
};

/** The reply for whatever a command has thrown. `onDefect` is told of what nobody foresaw. */
export function replyOfError(thrown: unknown, onDefect: (error: unknown) => void): Reply {
  if (thrown instanceof RespError) return error(thrown.message);
  if (thrown instanceof KvError) {
    return error(`${PREFIX_BY_CODE[thrown.code] ?? "ERR"} ${thrown.message}`);
  }
  onDefect(thrown);
  return error("ERR an unexpected error; the server's log has it");
}
