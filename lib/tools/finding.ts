/** Which errors tell something about a file that is looked at, and in which words. */

import { KvError } from "../errors.ts";
import { isRefusal, systemErrorCode } from "../fs/io_error.ts";

/**
 * Whether an error is about the file: its bytes, its kind, or the disk below it. A refusal by the
 * system, such as for want of descriptors or of a right, is none: whoever takes that for damage may
 * give up a sound store. Nor is a format that is newer.
 */
export function isFinding(error: unknown): error is KvError {
  return error instanceof KvError && error.code !== "Unsupported" && !isRefusal(error);
}

/** The words of an error about the file `path`, to be put behind that path. */
export function describeFinding(error: KvError, path: string): string {
  if (systemErrorCode(error) === "ENOENT") return "is missing";
  const { message } = error;
  for (const [verb, failed] of [["open", "opened"], ["read", "read"]] as const) {
    const start = `Cannot ${verb} ${path}: `;
    if (message.startsWith(start)) return `cannot be ${failed}: ${message.slice(start.length)}`;
  }
  return message.startsWith(`${path} `) ? message.slice(path.length + 1) : message;
}
