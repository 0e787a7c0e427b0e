/** The one error type of the public interface, and the codes by which callers tell cases apart. */

/**
 * What went wrong, in a form that programs can rely on.
 *
 * | code | meaning |
 * |---|---|
 * | `Io` | the operating system refused a file operation; `cause` holds its error |
 * | `CorruptLog` | stored bytes are not what was written; the store refuses them and changes nothing |
 * | `NotFound` | the key to delete does not exist |
 * | `Closed` | the store has been closed |
 * | `Locked` | another process, or another store in this one, has the directory open |
 * | `InvalidKey` | the key is empty, too long, or not valid UTF-8 |
 * | `ValueTooLarge` | the value exceeds `valueBytesMax` |
 * | `InvalidArgument` | an option or argument is unknown, of the wrong type, or out of range |
 * | `ConditionFailed` | `ifAbsent`, `ifVersion` or a batch check did not hold; nothing was written |
 * | `Compacted` | changes were asked for from before the oldest still kept |
 * | `NoSpace` | the disk or quota is full; reads go on, reopen after freeing space |
 * | `ReadOnly` | a write on a store opened with `readOnly` |
 * | `Unsupported` | the format, runtime or platform is one this version cannot handle |
 */
export type KvErrorCode =
  | "Io"
  | "CorruptLog"
  | "NotFound"
  | "Closed"
  | "Locked"
  | "InvalidKey"
  | "ValueTooLarge"
  | "InvalidArgument"
  | "ConditionFailed"
  | "Compacted"
  | "NoSpace"
  | "ReadOnly"
  | "Unsupported";

/** Where an error happened, as far as that is known. */
export interface KvErrorDetails {
  /** The underlying error, if another one led to this. */
  cause?: unknown;
  /** The file or directory concerned. */
  path?: string;
  /** The log segment concerned. */
  fileId?: number;
  /** The byte offset in that file. */
  offset?: number;
}

/**
 * The error that every operation of Cairn throws or rejects with when the world is not as asked:
 * bad input, a failing disk, damage, a condition that does not hold. A defect inside Cairn shows
 * as an {@link InvariantError} instead.
 *
 * @example
 * ```ts
 * import { KvError } from "@cairn/kv";
 *
 * const error = new KvError("NotFound", "Key greeting does not exist");
 * console.assert(error.code === "NotFound");
 * ```
 */
export class KvError extends Error {
  /** The kind of failure, stable across versions. */
  readonly code: KvErrorCode;
  /** The file or directory concerned, if any. */
  readonly path: string | undefined;
  /** The log segment concerned, if any. */
  readonly fileId: number | undefined;
  /** The byte offset concerned, if any. */
  readonly offset: number | undefined;

  /** Creates an error; `message` says what, where, and what to do about it, in one line. */
  constructor(code: KvErrorCode, message: string, details: KvErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "KvError";
    this.code = code;
    this.path = details.path;
    this.fileId = details.fileId;
    this.offset = details.offset;
  }
}

/** What to do about damage, to end the message of a `CorruptLog` with. */
export const DAMAGE_ADVICE =
  "restore a backup (KvStore.restore, or copy its directory) or run cairn repair";
