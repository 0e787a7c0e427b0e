/** Everything that can be found of a damaged store: its segments, ACTIVE, its identity. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { ACTIVE_BYTES_LIMIT, type ActiveState, decodeActive } from "../format/active.ts";
import {
  ACTIVE_NAME,
  joinPath,
  LOCK_NAME,
  NODE_ID_NAME,
  parseSegmentName,
  WAL_NAME,
} from "../format/filename.ts";
import { formatNodeId, parseNodeId } from "../format/node_id.ts";
import type { FileLock, FileSystem } from "../fs/file_system.ts";
import { isShortage } from "../fs/io_error.ts";
import { readFile } from "../fs/whole_file.ts";
import { SEGMENT_BYTES_LIMIT } from "../limits.ts";
import { describeFinding, isFinding } from "./finding.ts";
import type { SkippedFile } from "./repair_report.ts";
import { makeSourceSegment, type SourceSegment } from "./segment_choice.ts";
import { surveySegment } from "./segment_survey.ts";
import { endsWithChecksum } from "./trailing_checksum.ts";
import { TolerantFile } from "./tolerant_file.ts";

const NODE_ID_BYTES_MAX = 64;

/** What was found. */
export interface SalvageSource {
  /** Undefined if it is missing or damaged. */
  active: ActiveState | undefined;
  /** It is a copy that was never completed: no store, but what there is of one. */
  unfinished: boolean;
  /** Undefined if nothing tells. */
  nodeId: Uint8Array | undefined;
  segments: SourceSegment[];
  skipped: SkippedFile[];
  warnings: string[];
}

/**
 * Makes sure that no store has the directory open, and keeps it so until the lock is released. The
 * lock file is not created where there is none, and not written to. Throws `Locked`, with `advice`.
 */
export function lockSource(
  fs: FileSystem,
  path: string,
  warnings: string[],
  advice: string,
): FileLock | undefined {
  const lockPath = joinPath(path, LOCK_NAME);
  if (fs.stat(lockPath)?.kind !== "file") return undefined;
  let lock: FileLock | undefined;
  try {
    lock = fs.lock(lockPath);
  } catch (error) {
    if (!(error instanceof KvError) || isShortage(error)) throw error;
    warnings.push(`it could not be made sure that no store has ${path} open: ${error.message}`);
    return undefined;
  }
  if (lock !== undefined) return lock;
  throw new KvError("Locked", `${path} is open in a running store: ${advice}`, { path });
}

/** The directory of the log; throws `Io` if there is no store at all. */
export function findLogDirectory(fs: FileSystem, path: string): string {
  const directory = joinPath(path, WAL_NAME);
  if (fs.stat(directory)?.kind === "directory") return directory;
  const problem = fs.stat(path) === undefined ? "does not exist" : "holds no store";
  throw new KvError("Io", `${path} ${problem}: check the path`, { path });
}

/** Reads everything in the log's directory. */
export async function readSource(
  fs: FileSystem,
  directory: string,
  clock: Clock,
): Promise<SalvageSource> {
  const source: SalvageSource = {
    active: undefined,
    unfinished: false,
    nodeId: undefined,
    segments: [],
    skipped: [],
    warnings: [],
  };
  source.active = readActiveIfSound(fs, directory, source);
  for (const name of fs.readDirectory(directory).sort()) {
    const parsed = parseSegmentName(name);
    if (parsed?.kind !== "log" || parsed.temporary) continue;
    await readSegment(fs, joinPath(directory, name), parsed.fileId, source, clock);
  }
  source.nodeId = findNodeId(fs, directory, source);
  dropForeign(source);
  return source;
}

function readActiveIfSound(
  fs: FileSystem,
  directory: string,
  source: SalvageSource,
): ActiveState | undefined {
  const { warnings } = source;
  const path = joinPath(directory, ACTIVE_NAME);
  try {
    if (fs.stat(path) === undefined) {
      warnings.push(`${path} is missing: all segments were used`);
      return undefined;
    }
    const bytes = readFile(fs, path, ACTIVE_BYTES_LIMIT);
    const decoded = decodeActive(bytes);
    if (!("message" in decoded)) return decoded;
    // A newer format that is sound is no damage; a version without a checksum to match is.
    if (decoded.unsupported && endsWithChecksum(bytes)) {
      throw new KvError("Unsupported", `Cannot repair: ${path}: ${decoded.message}`, { path });
    }
    if (decoded.unfinished) source.unfinished = true;
    else warnings.push(`${path} is damaged (${decoded.message}): all segments were used`);
  } catch (error) {
    if (!isFinding(error)) throw error;
    warnings.push(`${path} ${describeFinding(error, path)}: all segments were used`);
  }
  return undefined;
}

async function readSegment(
  fs: FileSystem,
  path: string,
  fileId: number,
  source: SalvageSource,
  clock: Clock,
): Promise<void> {
  let file: TolerantFile;
  let size: number;
  try {
    file = TolerantFile.open(fs, path);
    size = file.size();
  } catch (error) {
    if (!isFinding(error)) throw error;
    source.skipped.push({ path, reason: describeFinding(error, path) });
    return;
  }
  try {
    if (size > SEGMENT_BYTES_LIMIT) {
      source.warnings.push(`${path} is longer than any segment: its end was not read`);
    }
    const survey = await surveySegment(file, Math.min(size, SEGMENT_BYTES_LIMIT), fileId, clock);
    source.segments.push(makeSourceSegment(path, fileId, survey));
    if (file.unreadableCount > 0) {
      source.warnings.push(`${file.unreadableCount} blocks of ${path} cannot be read`);
    }
    if (survey.header !== undefined && survey.header.fileId !== fileId) {
      source.warnings.push(`${path} says that it is segment ${survey.header.fileId}`);
    }
  } finally {
    file.close();
  }
}

/** The identity by ACTIVE, else by most of the segments, else by NODE_ID. */
function findNodeId(
  fs: FileSystem,
  directory: string,
  { active, segments, warnings }: SalvageSource,
): Uint8Array | undefined {
  const written = readNodeIdIfSound(fs, joinPath(directory, NODE_ID_NAME), warnings);
  if (active !== undefined) return active.nodeId;
  const counts = new Map<string, number>();
  for (const { survey } of segments) {
    if (survey.header === undefined) continue;
    const id = formatNodeId(survey.header.nodeId);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, left], [, right]) => right - left);
  return most === undefined ? written : parseNodeId(most[0]);
}

function readNodeIdIfSound(
  fs: FileSystem,
  path: string,
  warnings: string[],
): Uint8Array | undefined {
  try {
    const nodeId = parseNodeId(new TextDecoder().decode(readFile(fs, path, NODE_ID_BYTES_MAX)));
    if (nodeId === undefined) warnings.push(`${path} is damaged`);
    return nodeId;
  } catch (error) {
    if (!isFinding(error)) throw error;
    warnings.push(`${path} ${describeFinding(error, path)}`);
    return undefined;
  }
}

/** Segments of another store got here by mistake. */
function dropForeign(source: SalvageSource): void {
  const { nodeId } = source;
  if (nodeId === undefined) return;
  const expected = formatNodeId(nodeId);
  source.segments = source.segments.filter(({ path, survey }) => {
    if (survey.header === undefined || formatNodeId(survey.header.nodeId) === expected) return true;
    const found = formatNodeId(survey.header.nodeId);
    source.skipped.push({ path, reason: `it belongs to another store, ${found}` });
    return false;
  });
}
