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
  /** Tells it from other items. */
  kind: "file";
  /** Where it is. */
  path: string;
  /** What it is, by its name and first bytes. */
  type: InspectedFile;
  /** Its length. */
  size: number;
}

/** A sound frame of a segment that is about a key. */
export interface RecordItem {
  /** Tells it from other items. */
  kind: "record";
  /** Where the frame begins in the file. */
  offset: number;
  /** Length of the whole frame. */
  length: number;
  /** Its operation, by the name in docs/format.md: `SET`, `SET_EXPIRING` or `DELETE`. */
  op: string;
  /** Its LSN: the version that it gave to the key. */
  lsn: number;
  /** Its key: UTF-8. */
  key: Uint8Array;
  /** Without the expiry that is stored before it; absent in a delete. */
  valueLength?: number;
  /** Only if values were asked for. */
  value?: Uint8Array;
  /** When the key expires, in milliseconds since the epoch. */
  expiresAt?: number;
  /** CRC-32 of the frame, which was found to be right. */
  crc: number;
}

/** A sound control frame of a segment. */
export interface ControlItem {
  /** Tells it from other items. */
  kind: "control";
  /** Where the frame begins in the file. */
  offset: number;
  /** Length of the whole frame. */
  length: number;
  /** Its operation, by the name in docs/format.md: `BATCH`, `SYNC` or `SEGMENT`. */
  op: string;
  /** The LSN it refers to. */
  lsn: number;
  /** What it says, by the names in docs/format.md. */
  fields: Record<string, string | number | boolean>;
  /** CRC-32 of the frame, which was found to be right. */
  crc: number;
}

/** An entry of a hint file. */
export interface EntryItem {
  /** Tells it from other items. */
  kind: "entry";
  /** Where the entry begins in the hint file. */
  offset: number;
  /** The operation of the record: `SET`, `SET_EXPIRING` or `DELETE`. */
  op: string;
  /** LSN of the record. */
  lsn: number;
  /** Its key: UTF-8. */
  key: Uint8Array;
  /** Where the record lies in the segment. */
  recordOffset: number;
  /** Length of its frame. */
  recordLength: number;
  /** CRC-32 of its frame. */
  recordCrc: number;
  /** When the key expires, in milliseconds since the epoch. */
  expiresAt?: number;
}

/**
 * Anything else that is written in fields: headers, ACTIVE and its segments, NODE_ID, LOCK. In a
 * segment, how many zeros stand behind its last frame: space kept ready for the next ones.
 */
export interface FieldsItem {
  /** Tells it from other items. */
  kind: "fields";
  /** Where they begin in the file. */
  offset: number;
  /** What they say, by the names in docs/format.md. */
  fields: Record<string, string | number | boolean | null>;
}

/** Bytes that are not as they were written. */
export interface DamageItem {
  /** Tells it from other items. */
  kind: "damage";
  /** Where they begin in the file. */
  offset: number;
  /** How many they are. */
  length: number;
  /** What is wrong with them. */
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
