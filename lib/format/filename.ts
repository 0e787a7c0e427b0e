/** Every name on disk, and nothing else knows them. */

/** Name of the lock file, in the store's directory. */
export const LOCK_NAME = "LOCK";
/** Name of the directory that holds the log, in the store's directory. */
export const WAL_NAME = "wal";
/** Name of the file that says which segments are the log. */
export const ACTIVE_NAME = "ACTIVE";
/** Name of the file that holds the index as of some moment. */
export const CHECKPOINT_NAME = "CHECKPOINT";
/** Name of the file with the identity of the store. */
export const NODE_ID_NAME = "NODE_ID";
/** Ending of files that are being written and count for nothing yet. */
export const TEMPORARY_SUFFIX = ".tmp";

const FILE_ID_DIGITS = 10;
const SEGMENT_PATTERN = /^(\d{10})\.(log|hint)(\.tmp)?$/;

/** Joins a directory and a name. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** Name of a segment: ten digits, so that a listing is in order of age. */
export function segmentName(fileId: number): string {
  return `${String(fileId).padStart(FILE_ID_DIGITS, "0")}.log`;
}

/** Name of a segment's hint file. */
export function hintName(fileId: number): string {
  return `${String(fileId).padStart(FILE_ID_DIGITS, "0")}.hint`;
}

/** A name in the log's directory, understood. */
export interface ParsedName {
  fileId: number;
  kind: "log" | "hint";
  temporary: boolean;
}

/** Understands the name of a segment or hint file; undefined for any other name. */
export function parseSegmentName(name: string): ParsedName | undefined {
  const match = SEGMENT_PATTERN.exec(name);
  if (match === null) return undefined;
  const fileId = Number(match[1]);
  if (fileId < 1 || fileId > 0xffff_ffff) return undefined;
  return { fileId, kind: match[2] as "log" | "hint", temporary: match[3] !== undefined };
}
