/** How changes are written: each as one object of JSON, and a stream of them in either of two ways. */

import type { Change } from "../../mod.ts";
import { writeValue } from "./json_value.ts";

/** A longer value is left out of feeds: of each reader who is slow, one waits in memory. */
export const FED_VALUE_BYTES_MAX = 1 << 20;

/** A change whose value is short enough to be kept until somebody takes it. */
export interface FedChange extends Change {
  /** Length of a value that was left out. */
  size?: number;
}

/** Lets go of a value that is too long for feeds. */
export function withoutLongValue(change: Change): FedChange {
  const { value, ...rest } = change;
  if (value === undefined || value.length <= FED_VALUE_BYTES_MAX) return change;
  return { ...rest, size: value.length };
}

/** A change as JSON, on one line. */
export function writeChange({ version, op, key, expiresAt, value, size }: FedChange): string {
  const written = value === undefined ? {} : writeValue(value);
  return JSON.stringify({ version, op, key, expiresAt, size, ...written });
}

/** The text of a stream of changes. */
export interface ChangeFormat {
  /** Its media type. */
  readonly type: string;
  /** At the beginning of a stream that goes on behind a version. */
  begin(version: number): string;
  /** For a change. */
  change(change: FedChange): string;
  /**
   * When nothing else was to be said for a while: how far the stream has come, with `isNews` if it
   * has come further since that was last said.
   */
  progress(version: number, isNews: boolean): string;
}

/** How long clients are to wait before they connect again, in milliseconds. */
const RETRY_MS = 1000;

/** Server-sent events. An event with nothing but an `id` is not seen, but tells where to resume. */
export const EVENT_STREAM: ChangeFormat = {
  type: "text/event-stream",
  begin: (version) => `retry: ${RETRY_MS}\nid: ${version}\n\n`,
  change: (change) => {
    const { version, op } = change;
    return `id: ${version}\nevent: ${op}\ndata: ${writeChange(change)}\n\n`;
  },
  progress: (version, isNews) => isNews ? `id: ${version}\n\n` : ":\n\n",
};

/** One change a line. A line without `op` tells where to resume. */
export const NDJSON_STREAM: ChangeFormat = {
  type: "application/x-ndjson",
  begin: (version) => `{"version":${version}}\n`,
  change: (change) => `${writeChange(change)}\n`,
  progress: (version) => `{"version":${version}}\n`,
};
