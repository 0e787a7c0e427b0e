/**
 * What lies in a log's directory beside what ACTIVE names: leftovers of a crash, which may go, and
 * records that no leftover can hold, which mean that ACTIVE is missing or an old copy.
 */

import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import type { ActiveState } from "../format/active.ts";
import {
  ACTIVE_NAME,
  CHECKPOINT_NAME,
  joinPath,
  NODE_ID_NAME,
  parseSegmentName,
  segmentName,
  TEMPORARY_SUFFIX,
} from "../format/filename.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { readActive } from "../log/active_file.ts";
import { holdsNewRecords, reachesBehindHeader } from "../log/newer_segment.ts";

/** The id of the first segment of every log. */
export const FIRST_FILE_ID = 1;

const TEMPORARY_NAMES = [ACTIVE_NAME, NODE_ID_NAME, CHECKPOINT_NAME]
  .map((name) => name + TEMPORARY_SUFFIX);

/** Files that may be removed once the log is known to be sound. */
export interface Leftovers {
  names: string[];
  /** Highest id that any segment or hint file in the directory has, 0 if there is none. */
  fileIdMax: number;
}

/**
 * Names of what a crash left of a rotation or a compaction that did not come to its end. Files of
 * other names are nobody's business here. Throws `CorruptLog` if ACTIVE is an old copy.
 */
export function findLeftovers(fs: FileSystem, directory: string, state: ActiveState): Leftovers {
  const inLog = new Set(state.segments.map(({ fileId }) => fileId));
  const names: string[] = [];
  let fileIdMax = 0;
  for (const name of fs.readDirectory(directory)) {
    if (TEMPORARY_NAMES.includes(name)) names.push(name);
    const parsed = parseSegmentName(name);
    if (parsed === undefined) continue;
    fileIdMax = Math.max(fileIdMax, parsed.fileId);
    if (!parsed.temporary && inLog.has(parsed.fileId)) continue;
    names.push(name);
  }
  const newer = findNewerSegment(fs, directory, state);
  if (newer !== undefined) throw olderActive(directory, newer);
  return { names, fileIdMax };
}

/**
 * Throws `CorruptLog` if ACTIVE, read as `state`, is an old copy. In a store that is open elsewhere
 * it may have been replaced since it was read: then it was right at that moment.
 */
export function assertNotOutdated(fs: FileSystem, directory: string, state: ActiveState): void {
  const newer = findNewerSegment(fs, directory, state);
  if (newer === undefined) return;
  if (readActive(fs, directory)?.nextFileId === state.nextFileId) {
    throw olderActive(directory, newer);
  }
}

/**
 * Where there is no ACTIVE: the name of a file that only a log leaves behind, undefined if there is
 * none. A crash while a store is created leaves its first segment at most, without a record.
 */
export function findTraceOfLog(fs: FileSystem, directory: string): string | undefined {
  if (fs.stat(directory) === undefined) return undefined;
  return fs.readDirectory(directory).sort().find((name) => {
    const parsed = parseSegmentName(name);
    if (parsed === undefined || parsed.temporary) return false;
    if (parsed.kind === "hint" || parsed.fileId !== FIRST_FILE_ID) return true;
    return isBegun(fs, joinPath(directory, name));
  });
}

/** Whether a segment has more than its header; not one that is gone meanwhile. */
function isBegun(fs: FileSystem, path: string): boolean {
  let file: File;
  try {
    file = fs.open(path, "read");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
  try {
    return reachesBehindHeader(file, file.size());
  } finally {
    file.close();
  }
}

/** The refusal to go on without ACTIVE where a log has left the file `trace`. */
export function missingActive(directory: string, trace: string): KvError {
  const path = joinPath(directory, ACTIVE_NAME);
  return new KvError(
    "CorruptLog",
    `${path} is missing, but there are files of a log (${trace}); nothing was changed, ${DAMAGE_ADVICE}`,
    { path },
  );
}

/**
 * Id of a segment that was begun after ACTIVE was written and holds records, or is too damaged to
 * tell. One that ACTIVE does not name is otherwise an input or an output of compaction, or was just
 * created.
 */
function findNewerSegment(
  fs: FileSystem,
  directory: string,
  { nodeId, nextFileId }: ActiveState,
): number | undefined {
  for (const name of fs.readDirectory(directory)) {
    const parsed = parseSegmentName(name);
    if (parsed === undefined || parsed.kind !== "log" || parsed.temporary) continue;
    const { fileId } = parsed;
    if (fileId >= nextFileId && holdsNewRecords(fs, directory, fileId, nodeId)) return fileId;
  }
  return undefined;
}

function olderActive(directory: string, fileId: number): KvError {
  const path = joinPath(directory, segmentName(fileId));
  return new KvError(
    "CorruptLog",
    `${path} holds more than a crash leaves, but ${ACTIVE_NAME} is older than it and does not name ` +
      `it; nothing was changed, ${DAMAGE_ADVICE}`,
    { path, fileId },
  );
}
