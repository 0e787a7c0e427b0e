/** What the text protocol answers. */

import { KvError } from "../../../errors.ts";
import type { ReplyBuffer } from "../reply_buffer.ts";

/** What came of a command. */
export type TextResult = "ok" | "not_found" | "error";

/** A reply: writes itself, and says what it is. */
export type TextReply = (out: ReplyBuffer) => TextResult;

const LINE_BREAKS = /[\r\n]+/g;

/** What {@link OK} writes. */
export const OK_BYTES: Uint8Array = new TextEncoder().encode("OK\n");

/** `OK` */
export const OK: TextReply = (out) => {
  out.ascii("OK\n");
  return "ok";
};

/** `NOT_FOUND` */
export const NOT_FOUND: TextReply = (out) => {
  out.ascii("NOT_FOUND\n");
  return "not_found";
};

/** What {@link valueHeader} writes at most. */
export const VALUE_HEADER_BYTES_MAX = 32;

/** `VALUE <length>`; so many bytes follow. */
export function valueHeader(length: number, out: ReplyBuffer): void {
  out.ascii("VALUE ");
  out.integer(length);
  out.ascii("\n");
}

/** `VALUE <length>`, and the value. */
export function valueReply(value: Uint8Array): TextReply {
  return (out) => {
    valueHeader(value.length, out);
    out.bytes(value);
    return "ok";
  };
}

/** `ERR <code> <message>`, in one line. */
export function errorReply(code: string, message: string): TextReply {
  return (out) => {
    out.utf8(`ERR ${code} ${message.replace(LINE_BREAKS, " ")}\n`);
    return "error";
  };
}

/** What the store refused; of an unexpected error nothing but that there was one. */
export function failureReply(error: unknown): TextReply {
  if (error instanceof KvError) return errorReply(error.code, error.message);
  return errorReply("Internal", "An unexpected error; the server's log has it");
}
