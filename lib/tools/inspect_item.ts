/** What an inspection yields. Offsets and lengths are in bytes. */

/** The kinds of files a store has. */
export type InspectedFile =
  | "segment"
  | "hint"
  | "checkpoint"
  | "active"
  | "nodeId"
  | "lock"
  | "unknown";

/** Always the first item: which file this is. */
export interface FileItem {
  kind: "file";
  path: string;
  type: InspectedFile;
  size: number;
}

/** A sound frame of a segment that is about a key. */
export interface RecordItem {
  kind: "record";
  offset: number;
  length: number;
  op: string;
  /** Its LSN: the version that it gave to the key. */
  lsn: number;
  key: Uint8Array;
  /** Without the expiry that is stored before it; absent in a delete. */
  valueLength?: number;
  /** Only if values were asked for. */
  value?: Uint8Array;
  /** When the key expires, in milliseconds since the epoch. */
  expiresAt?: number;
  crc: number;
}

/** A sound control frame of a segment. */
export interface ControlItem {
  kind: "control";
  offset: number;
  length: number;
  op: string;
  /** The LSN it refers to. */
  lsn: number;
  fields: Record<string, string | number | boolean>;
  crc: number;
}

/** An entry of a hint file. */
export interface EntryItem {
  kind: "entry";
  offset: number;
  op: string;
  lsn: number;
  key: Uint8Array;
  /** Where the record lies in the segment. */
  recordOffset: number;
  recordLength: number;
  recordCrc: number;
  /** When the key expires, in milliseconds since the epoch. */
  expiresAt?: number;
}

/** Anything else that is written in fields: headers, ACTIVE and its segments, NODE_ID, LOCK. */
export interface FieldsItem {
  kind: "fields";
  offset: number;
  fields: Record<string, string | number | boolean | null>;
}

/** Bytes that are not as they were written. */
export interface DamageItem {
  kind: "damage";
  offset: number;
  length: number;
  message: string;
  /** What the damaged frame says of itself, as far as that can be: not to be believed. */
  claims?: { op: string; lsn: number; keyLength: number; valueLength: number };
}

/** One thing in a file. */
export type InspectItem =
  | FileItem
  | RecordItem
  | ControlItem
  | EntryItem
  | FieldsItem
  | DamageItem;

const OP_NAMES = ["SET", "DELETE", "SET_EXPIRING", "BATCH", "SYNC", "SEGMENT"];

/** The name of an operation as docs/format.md has it. */
export function nameOfOp(op: number): string {
  return OP_NAMES[op] ?? `op ${op}`;
}
