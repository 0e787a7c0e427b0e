/** What is read of a file to import, whatever its format. */

import { Buffer } from "node:buffer";
import { EXPIRES_AT_LIMIT, KEY_BYTES_LIMIT, VALUE_BYTES_MAX_DEFAULT } from "../../limits.ts";
import type { LoadEntry } from "../target/target.ts";

/** One record: an entry, or why it is none. */
export interface ImportRecord {
  /** The line that it ends on, from 1. */
  line: number;
  entry?: LoadEntry;
  problem?: string;
}

/** Makes records of the bytes of a file. */
export type RecordReader = (
  chunks: AsyncIterable<Uint8Array>,
) => AsyncIterable<readonly ImportRecord[]>;

/** The parts of an entry as they were found. */
export interface EntryParts {
  key: unknown;
  value: unknown;
  encoding?: unknown;
  expiresAt?: unknown;
}

/** The entry that the parts make, or what is wrong with them. */
export function entryOf(parts: EntryParts): { entry: LoadEntry } | { problem: string } {
  const problem = keyProblem(parts.key) ?? valueProblem(parts);
  if (problem !== undefined) return { problem };
  const { key, value, encoding, expiresAt } = parts as { [name in keyof EntryParts]: string };
  const bytes = encoding === "base64" ? Buffer.from(value!, "base64") : value!;
  if (typeof bytes !== "string" && bytes.toString("base64") !== value) {
    return { problem: "the value is not base64 (with + and /, and padded with =)" };
  }
  const length = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
  if (length > VALUE_BYTES_MAX_DEFAULT) {
    return { problem: `the value has ${length} bytes: at most ${VALUE_BYTES_MAX_DEFAULT} will do` };
  }
  return {
    entry: {
      key: key!,
      value: bytes,
      ...(expiresAt !== undefined && { expiresAt: Number(expiresAt) }),
    },
  };
}

function keyProblem(key: unknown): string | undefined {
  if (key === undefined) return "it has no key";
  if (typeof key !== "string") return "the key is not a text";
  if (key === "") return "the key is empty";
  if (!key.isWellFormed()) return "the key is half a character (a lone surrogate)";
  if (Buffer.byteLength(key) > KEY_BYTES_LIMIT) {
    return `the key is longer than ${KEY_BYTES_LIMIT} bytes`;
  }
  return undefined;
}

function valueProblem({ value, encoding, expiresAt }: EntryParts): string | undefined {
  if (value === undefined) return "it has no value";
  if (typeof value !== "string") return "the value is not a text: write other JSON as a text of it";
  if (!value.isWellFormed()) return "the value holds half a character (a lone surrogate)";
  if (encoding !== undefined && encoding !== "base64") {
    return 'the encoding is unknown: it may be "base64", or left out for text';
  }
  if (
    expiresAt !== undefined &&
    !(Number.isSafeInteger(expiresAt) && (expiresAt as number) > 0 &&
      (expiresAt as number) <= EXPIRES_AT_LIMIT)
  ) return "expiresAt is not a time in milliseconds since the epoch";
  return undefined;
}
