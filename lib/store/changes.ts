/**
 * Change feeds: what was written, in the order of the log, from any version on and then live. A
 * feed keeps no queue. It reads the log where it stands, and waits for the bell once it has come to
 * the newest visible record; one that nobody asks for more costs nothing.
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { decodeKey } from "../format/key.ts";
import {
  EXPIRES_AT_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  OP_DELETE,
  OP_SET_EXPIRING,
  readU64,
} from "../format/record.ts";
import { LogCursor, type LogCursorContext, STEP_LOAD, STEP_RECORD } from "../log/log_cursor.ts";
import { assertKnownOptions, assertOptionsObject, showValue } from "./options.ts";
import { Slices } from "./pause.ts";
import { BLOCKING_READ_BYTES_MAX } from "./record_source.ts";
import { toBound } from "./scan.ts";
import type { Change, ChangeFeed, ChangesOptions } from "./types.ts";
import type { VisibilityBell } from "./visibility.ts";

const SLICE_MS = 2;
const RECORDS_BETWEEN_CLOCK_READINGS = 64;

/** What a change feed works with. */
export interface ChangesContext extends LogCursorContext {
  clock: Clock;
  /** Undefined in a store that was opened for reading only, to which nothing happens. */
  bell: VisibilityBell | undefined;
  lsnVisible: () => number;
  assertOpen: () => void;
}

/** What a feed delivers; checked options. */
interface Selection {
  since: number;
  prefix: Uint8Array;
  values: boolean;
  live: boolean;
  signal: AbortSignal | undefined;
}

/** Opens a change feed. Throws `InvalidArgument`, and `Compacted` if `since` is too old. */
export function openChanges(context: ChangesContext, options: ChangesOptions): ChangeFeed {
  return new LogFeed(context, checkChangesOptions(options, context.lsnVisible()));
}

function checkChangesOptions(options: ChangesOptions, version: number): Selection {
  assertOptionsObject(options);
  assertKnownOptions(options, ["since", "prefix", "values", "live", "signal"]);
  const { since = version, values = true, live = true, signal } = options;
  for (const [name, value] of [["values", values], ["live", live]] as const) {
    if (typeof value !== "boolean") {
      throw new KvError(
        "InvalidArgument",
        `Option ${name} is ${showValue(value)}: it must be true or false`,
      );
    }
  }
  if (!Number.isSafeInteger(since) || since < 0) {
    throw new KvError(
      "InvalidArgument",
      `Option since is ${showValue(since)}: it must be a version, or 0 for the beginning`,
    );
  }
  if (since > version) {
    throw new KvError(
      "InvalidArgument",
      `Option since is ${since}, but the store is at version ${version} only: it was restored or ` +
        `lost its newest writes since, or is another one; start again from a scan`,
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new KvError(
      "InvalidArgument",
      `Option signal is ${showValue(signal)}: it must be an AbortSignal`,
    );
  }
  return { since, prefix: toBound(options.prefix) ?? new Uint8Array(0), values, live, signal };
}

/** A change feed over the log. */
class LogFeed implements ChangeFeed {
  readonly #context: ChangesContext;
  readonly #selection: Selection;
  readonly #cursor: LogCursor;
  readonly #slices: Slices;
  readonly #changes: AsyncGenerator<Change, undefined>;
  /** Where a feed that is not live ends. */
  readonly #lsnEnd: number;
  #recordsUntilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(context: ChangesContext, selection: Selection) {
    this.#context = context;
    this.#selection = selection;
    this.#cursor = new LogCursor(context, selection.since);
    this.#slices = new Slices(context.clock, SLICE_MS);
    this.#lsnEnd = selection.live && context.bell !== undefined ? Infinity : context.lsnVisible();
    this.#changes = this.#follow();
  }

  get version(): number {
    return this.#cursor.lsn;
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    return this.#changes.next();
  }

  return(): Promise<IteratorResult<Change, undefined>> {
    this.#ended = true;
    // The generator cannot return while it waits for news.
    this.#wake?.();
    return this.#changes.return(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#follow(): AsyncGenerator<Change, undefined> {
    const cursor = this.#cursor;
    while (!this.#isOver()) {
      this.#context.assertOpen();
      const step = cursor.step(Math.min(this.#lsnEnd, this.#context.lsnVisible()));
      if (step === STEP_RECORD) {
        if (this.#isSelected()) yield this.#toChange();
        if (--this.#recordsUntilClockReading === 0) await this.#yieldToOthers();
      } else if (step === STEP_LOAD) {
        await (cursor.load() ?? this.#yieldToOthers());
      } else if (cursor.lsn >= this.#lsnEnd) {
        break;
      } else {
        cursor.rest();
        await this.#news();
      }
    }
    cursor.rest();
    return undefined;
  }

  #isOver(): boolean {
    return this.#ended || this.#selection.signal?.aborted === true;
  }

  /** Resolves when more is visible, when the store closes, and when the feed is to end. */
  async #news(): Promise<void> {
    const { bell } = this.#context;
    const { signal } = this.#selection;
    const woken = Promise.withResolvers<void>();
    const wake = () => woken.resolve();
    this.#wake = wake;
    bell!.wait(wake);
    signal?.addEventListener("abort", wake);
    await woken.promise;
    this.#wake = undefined;
    bell!.leave(wake);
    signal?.removeEventListener("abort", wake);
  }

  /** Gives the event loop a turn, if it is time to. */
  async #yieldToOthers(): Promise<void> {
    this.#recordsUntilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
    if (this.#slices.over) await this.#slices.pause();
  }

  #isSelected(): boolean {
    const { prefix } = this.#selection;
    const { header, buffer: { bytes }, at } = this.#cursor;
    if (prefix.length > header.keyLength) return false;
    const keyStart = at + FRAME_HEADER_BYTES;
    for (let index = 0; index < prefix.length; index++) {
      if (bytes[keyStart + index] !== prefix[index]) return false;
    }
    return true;
  }

  #toChange(): Change {
    const { header, buffer: { bytes, view }, at } = this.#cursor;
    const { op, lsn: version, keyLength, frameLength } = header;
    const keyStart = at + FRAME_HEADER_BYTES;
    const keyEnd = keyStart + keyLength;
    const key = decodeKey(bytes.subarray(keyStart, keyEnd));
    if (op === OP_DELETE) return { version, op: "del", key };
    const change: Change = { version, op: "set", key };
    const isExpiring = op === OP_SET_EXPIRING;
    if (this.#selection.values) {
      const valueStart = keyEnd + (isExpiring ? EXPIRES_AT_BYTES : 0);
      // A copy: the buffer is used again, and what callers get is theirs.
      change.value = bytes.slice(valueStart, at + frameLength - FRAME_TRAILER_BYTES);
    }
    if (isExpiring) change.expiresAt = readU64(view, keyEnd);
    if (frameLength > BLOCKING_READ_BYTES_MAX) this.#cursor.rest();
    return change;
  }
}
