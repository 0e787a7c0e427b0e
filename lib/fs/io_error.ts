/**
 * The one place where what the operating system (or a runtime) throws becomes a `KvError`.
 *
 * Node and Bun throw an `Error` with a `code`; Deno sometimes throws its own classes, with or
 * without one. Callers see neither: they get a code of Cairn's and one line that says what was
 * attempted, on what, why it failed, and what to do about it where that is known.
 */

import { KvError } from "../errors.ts";

/** An error as the operating system reports it: a code such as `ENOENT`, and words for it. */
export class SystemError extends Error {
  /** The symbolic error number. */
  readonly code: string;

  /** Creates an error with the code `code`, in the wording that Node uses. */
  constructor(code: string, reason: string) {
    super(`${code}: ${reason}`);
    this.name = "SystemError";
    this.code = code;
  }
}

/** Deno's error classes, for those of its errors that carry no code. */
const CODE_BY_CLASS_NAME: Readonly<Record<string, string>> = {
  AlreadyExists: "EEXIST",
  FilesystemLoop: "ELOOP",
  IsADirectory: "EISDIR",
  NotADirectory: "ENOTDIR",
  NotCapable: "NotCapable",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
};

const WORDS_BY_CODE: Readonly<Record<string, string>> = {
  EACCES: "permission denied; run as the user who owns it, or change its permissions",
  EDQUOT: "the disk quota is used up; free some space, then open the store again",
  EMFILE: "this process has too many files open; raise the limit (ulimit -n)",
  ENFILE: "the system has too many files open; raise the limit (fs.file-max)",
  ENOMEM: "the system has no memory left; stop other programs, then try again",
  ENOSPC: "the disk is full; free some space, then open the store again",
  EPERM: "not permitted; run as the user who owns it, or choose another directory",
  ERR_ACCESS_DENIED: "the runtime was not given access to it; allow reading and writing it",
  EROFS: "the file system is read-only; remount it for writing, or choose another directory",
  NotCapable:
    "the runtime was not given access to it; start Deno with --allow-read and --allow-write for the store's directory",
};

/**
 * Turns what a file operation threw into a `KvError`: `NoSpace` for a full disk or quota, else
 * `Io`. `verb` and `subject` complete "Cannot …", as in `ioError("open", path, cause)`;
 * `path` is the file concerned, if `subject` is more than that. A `KvError` is returned as it is.
 */
export function ioError(
  verb: string,
  subject: string,
  cause: unknown,
  path: string = subject,
): KvError {
  if (cause instanceof KvError) return cause;
  const code = systemErrorCode(cause);
  const reason = (code === undefined ? undefined : WORDS_BY_CODE[code]) ?? reasonOf(cause);
  const suffix = code === undefined ? "" : ` (${code})`;
  return new KvError(
    code === "ENOSPC" || code === "EDQUOT" ? "NoSpace" : "Io",
    oneLine(`Cannot ${verb} ${subject}: ${reason}${suffix}`),
    { cause, path },
  );
}

/** Runs `operation`; what it throws becomes the {@link ioError} "Cannot `verb` `subject`: …". */
export function attempt<Result>(
  verb: string,
  subject: string,
  operation: () => Result,
  path: string = subject,
): Result {
  try {
    return operation();
  } catch (error) {
    throw ioError(verb, subject, error, path);
  }
}

/** As {@link attempt}, of an operation that takes its time. */
export async function attemptAsync<Result>(
  verb: string,
  path: string,
  operation: () => Promise<Result>,
): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    throw ioError(verb, path, error);
  }
}

/** The symbolic error number (`ENOENT`, …) in an error, or in the cause of a `KvError`. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof KvError) return systemErrorCode(error.cause);
  if (!(error instanceof Error)) return undefined;
  // Deno's refusal for want of a permission may carry the code of an ordinary refusal.
  if (error.name === "NotCapable") return "NotCapable";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  return CODE_BY_CLASS_NAME[error.name];
}

/** Refusals for want of something that all programs share. */
const SHORTAGES: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);
/** Refusals for want of a right. */
const PROHIBITIONS: ReadonlySet<string> = new Set([
  "EACCES",
  "EPERM",
  "ERR_ACCESS_DENIED",
  "NotCapable",
]);

/** Whether the system ran out of descriptors or memory: that says nothing about the file. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.has(systemErrorCode(error) ?? "");
}

/**
 * Whether the system did not let this process at a file, be it for a shortage or for want of a
 * right. Then nothing is known about the file, least of all that it is damaged.
 */
export function isRefusal(error: unknown): boolean {
  return isShortage(error) || PROHIBITIONS.has(systemErrorCode(error) ?? "");
}

/** Why it failed, without the code in front, and the call and the path behind. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const match = /^(?:E[A-Z0-9]+: )?(.*?)(?: \(os error \d+\).*|, [a-z_]+(?: '.*)?)?$/s.exec(
    cause.message,
  );
  const reason = match?.[1] ?? cause.message;
  return reason === "" ? cause.name : reason;
}

/** A file's name may hold line breaks and other control characters; a message may not. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
