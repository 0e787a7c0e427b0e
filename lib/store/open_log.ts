/** Opens a store's directory: lock, identity, leftovers of a crash, replay. */

import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import type { ActiveState } from "../format/active.ts";
import { NODE_ID_BYTES } from "../format/control_record.ts";
import {
  ACTIVE_NAME,
  joinPath,
  NODE_ID_NAME,
  parseSegmentName,
  segmentName,
  WAL_NAME,
} from "../format/filename.ts";
import { encodeNodeId, formatNodeId, parseNodeId } from "../format/node_id.ts";
import { removeDurably, replaceDurably } from "../fs/durable.ts";
import type { File, FileLock, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { LargePages } from "../fs/large_pages.ts";
import { readFile } from "../fs/whole_file.ts";
import { KeyIndex } from "../index/key_index.ts";
import { ActiveFile, readActive } from "../log/active_file.ts";
import type { Segment } from "../log/segment.ts";
import { createSegment } from "../log/segment_file.ts";
import { SegmentSet } from "../log/segment_set.ts";
import { rewriteTail } from "../log/tail_rewrite.ts";
import { lockDirectory } from "./directory_lock.ts";
import { findUselessCheckpoint, loadCheckpoint, type LoadedCheckpoint } from "./checkpoint.ts";
import { Keydir } from "./keydir.ts";
import {
  assertNotOutdated,
  findLeftovers,
  findTraceOfLog,
  FIRST_FILE_ID,
  missingActive,
} from "./leftovers.ts";
import type { ResolvedOptions } from "./options.ts";
import { Replay } from "./replay.ts";
import type { ReplayStats } from "./types.ts";

const READ_ONLY_ATTEMPTS = 10;

/** An opened log: what a store is made of. */
export interface OpenedLog {
  /** Directory of the log. */
  directory: string;
  /** Absent in a store that was opened for reading only. */
  lock: FileLock | undefined;
  active: ActiveFile;
  keydir: Keydir;
  /** LSN of the newest record. */
  lsn: number;
  /** Whether the newest segment ends with a mark that calls all of it durable. */
  sealed: boolean;
  /** Whether ACTIVE knows of its records, up to its end. */
  noted: boolean;
  /** The checkpoint that opening has used. */
  checkpoint: LoadedCheckpoint | undefined;
  replay: ReplayStats;
}

/** Opens the store at `path` for reading and writing, creating it if there is none. */
export async function openForWriting(path: string, options: ResolvedOptions): Promise<OpenedLog> {
  const fs = options.fileSystem;
  const stat = fs.stat(path);
  if (stat !== undefined && stat.kind === "file") {
    throw new KvError("Io", `${path} is a file: a store is a directory, choose another path`, {
      path,
    });
  }
  const directory = joinPath(path, WAL_NAME);
  fs.makeDirectory(path);
  const lock = lockDirectory(fs, path);
  try {
    fs.makeDirectory(directory);
    // A process that was killed may have left names that are not yet durable.
    fs.syncDirectory(directory);
    const state = readActive(fs, directory) ?? createLog(fs, directory, options);
    const hasNodeId = checkNodeId(fs, directory, state);
    const leftovers = findLeftovers(fs, directory, state);
    const nextFileId = Math.max(state.nextFileId, leftovers.fileIdMax + 1);
    const log = await replayAll(directory, state, openSegments(fs, directory, state), options);
    // Not before: a log that is refused must keep everything, for whoever has to repair it.
    try {
      if (!hasNodeId) writeNodeId(fs, directory, state.nodeId);
      const { ordered } = log.keydir.segments;
      // The same goes for the name ACTIVE, if a sync of the directory has failed: what is found may
      // be what the disk has not. Before files are removed that an older one names, or records are
      // appended to one that it does not.
      const isDoubtful = leftovers.names.length > 0 || !log.noted;
      // Ids are not reused, not even those of files that never became part of the log.
      if (log.active.reserveFileIds(nextFileId) || isDoubtful) log.active.replace(ordered);
      const useless = findUselessCheckpoint(fs, directory, log.checkpoint);
      removeDurably(fs, directory, [...leftovers.names, ...useless]);
    } catch (error) {
      log.keydir.segments.close();
      throw error;
    }
    return { ...log, lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Opens the store at `path` as of this moment, touching nothing, beside whoever is writing to it. */
export async function openForReading(path: string, options: ResolvedOptions): Promise<OpenedLog> {
  const fs = options.fileSystem;
  const directory = joinPath(path, WAL_NAME);
  const isMissing = () => fs.stat(joinPath(directory, ACTIVE_NAME)) === undefined;
  if (isMissing()) {
    const trace = findTraceOfLog(fs, directory);
    // Looked for again: somebody may be creating the store right now.
    if (trace !== undefined && isMissing()) throw missingActive(directory, trace);
  }
  if (isMissing()) throw noStore(fs, path);
  for (let attempt = 1;; attempt++) {
    const state = readActive(fs, directory);
    // A store replaces ACTIVE and never removes it, but a copy that is given up may.
    if (state === undefined) throw noStore(fs, path);
    const files: File[] = [];
    try {
      for (const { fileId } of state.segments) {
        files.push(openSegment(fs, directory, fileId, "read"));
      }
      checkNodeId(fs, directory, state);
      assertNotOutdated(fs, directory, state);
      return { ...await replayAll(directory, state, files, options), lock: undefined };
    } catch (error) {
      for (const file of files) file.close();
      // Compaction may have removed a segment since ACTIVE was read; then ACTIVE has changed too.
      const moved = systemErrorCode(error) === "ENOENT" &&
        JSON.stringify(readActive(fs, directory)?.segments) !== JSON.stringify(state.segments);
      if (!moved || attempt >= READ_ONLY_ATTEMPTS) throw error;
    }
  }
}

function noStore(fs: FileSystem, path: string): KvError {
  const problem = fs.stat(path) === undefined ? "does not exist" : "holds no store";
  return new KvError("Io", `${path} ${problem}: check the path, or open it for writing first`, {
    path,
  });
}

async function replayAll(
  directory: string,
  state: ActiveState,
  files: File[],
  options: ResolvedOptions,
): Promise<Omit<OpenedLog, "lock">> {
  const { clock, logger, fileSystem: fs } = options;
  const begin = clock.monotonic();
  const checkpoint = await loadCheckpoint({ fs, directory, clock, logger }, state, files);
  const keydir = new Keydir(checkpoint?.index ?? emptyIndex(options), new SegmentSet());
  const { index } = keydir;
  const { nodeId } = state;
  const replay = new Replay({
    fs,
    directory,
    logBytes: files.reduce((bytes, file) => bytes + file.size(), 0),
    nodeId,
    keydir,
    checkpoint,
    clock,
    logger,
    readOnly: options.readOnly,
  });
  try {
    for (const [position, file] of files.entries()) {
      await replay.segment(state.segments[position]!, file, position === files.length - 1);
    }
    if (!options.readOnly) vouch(replay, keydir.segments.active, state);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
  const newest = keydir.segments.active;
  const stats = { ...replay.stats, durationMs: clock.monotonic() - begin };
  logger.info("Opened {directory}, segments: {segments}, records read: {records}", {
    directory,
    ...stats,
    keys: index.size,
  });
  return {
    directory,
    active: new ActiveFile(fs, directory, state),
    keydir,
    lsn: newest.lastLsn,
    sealed: replay.sealed,
    noted: newest.recordCount > 0 && isNoted(replay, newest, state),
    checkpoint,
    replay: stats,
  };
}

function emptyIndex(options: ResolvedOptions): KeyIndex {
  const seed = new Uint8Array(4);
  options.random.fill(seed);
  const hashSeed = new DataView(seed.buffer).getInt32(0);
  return new KeyIndex({ hashSeed, prepareSlab: LargePages.prepare });
}

/**
 * Whether ACTIVE says that the newest segment is durable to its end, and so was replaced after that
 * segment was begun. The last mark may say the same of all before it, but not that it is durable
 * itself.
 */
function isNoted(replay: Replay, newest: Segment, state: ActiveState): boolean {
  return replay.sealed && state.segments.at(-1)!.length === newest.length;
}

/**
 * Makes durable what was found in the newest segment: what is read must stay true. A killed process
 * may have left it in the page cache only, and after a failed fsync the cache may call it clean.
 */
function vouch(replay: Replay, newest: Segment, state: ActiveState): void {
  if (!isNoted(replay, newest, state)) {
    rewriteTail(newest.file, replay.durableOffset, newest.length);
  }
  // Even if nothing was written since: a write that failed may have been cut off again, and the cut
  // be lost with the power while the write is kept.
  newest.file.sync();
}

/** Opens all segments, the newest one for appending to it. */
function openSegments(fs: FileSystem, directory: string, { segments }: ActiveState): File[] {
  const files: File[] = [];
  try {
    for (const [index, { fileId }] of segments.entries()) {
      const mode = index === segments.length - 1 ? "write" : "read";
      files.push(openSegment(fs, directory, fileId, mode));
    }
    return files;
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

function openSegment(
  fs: FileSystem,
  directory: string,
  fileId: number,
  mode: "read" | "write",
): File {
  const path = joinPath(directory, segmentName(fileId));
  if (mode === "write" && fs.stat(path) === undefined) throw segmentMissing(path, fileId);
  try {
    return fs.open(path, mode);
  } catch (error) {
    if (mode === "write" || systemErrorCode(error) !== "ENOENT") throw error;
    throw segmentMissing(path, fileId, error);
  }
}

function segmentMissing(path: string, fileId: number, cause?: unknown): KvError {
  return new KvError(
    "CorruptLog",
    `${path} is missing, though ACTIVE names it as part of the log; nothing was changed, ` +
      `${DAMAGE_ADVICE}`,
    { path, fileId, ...(cause === undefined ? {} : { cause }) },
  );
}

/** Creates an empty log; refuses where there is a log already that has lost its ACTIVE. */
function createLog(fs: FileSystem, directory: string, options: ResolvedOptions): ActiveState {
  const trace = findTraceOfLog(fs, directory);
  if (trace !== undefined) throw missingActive(directory, trace);
  const leftovers = fs.readDirectory(directory)
    .filter((name) => parseSegmentName(name) !== undefined);
  removeDurably(fs, directory, leftovers);
  const nodeId = readNodeId(fs, directory) ?? createNodeId(fs, directory, options);
  const fileId = FIRST_FILE_ID;
  const segment = createSegment(fs, directory, {
    fileId,
    compacted: false,
    createdAt: options.clock.now(),
    nodeId,
    firstLsn: 1,
  });
  segment.file.close();
  const state = { nodeId, droppedLsn: 0, nextFileId: fileId + 1, segments: [] };
  new ActiveFile(fs, directory, state).replace([segment]);
  return { ...state, segments: [{ fileId, length: segment.length, chain: 0 }] };
}

function createNodeId(
  fs: FileSystem,
  directory: string,
  options: ResolvedOptions,
): Uint8Array {
  const nodeId = new Uint8Array(NODE_ID_BYTES);
  options.random.fill(nodeId);
  // Version and variant of a random UUID, RFC 9562 section 5.4.
  nodeId[6] = nodeId[6]! & 0x0f | 0x40;
  nodeId[8] = nodeId[8]! & 0x3f | 0x80;
  writeNodeId(fs, directory, nodeId);
  return nodeId;
}

function writeNodeId(fs: FileSystem, directory: string, nodeId: Uint8Array): void {
  replaceDurably(fs, directory, NODE_ID_NAME, encodeNodeId(nodeId));
}

function readNodeId(fs: FileSystem, directory: string): Uint8Array | undefined {
  const path = joinPath(directory, NODE_ID_NAME);
  if (fs.stat(path) === undefined) return undefined;
  const nodeId = parseNodeId(new TextDecoder().decode(readFile(fs, path, 64)));
  if (nodeId === undefined) {
    throw new KvError("CorruptLog", `${path} is damaged: it does not hold a UUID`, { path });
  }
  return nodeId;
}

/**
 * NODE_ID repeats what ACTIVE says: a difference means that files of two stores were mixed. Returns
 * false if it is missing.
 */
function checkNodeId(fs: FileSystem, directory: string, state: ActiveState): boolean {
  const nodeId = readNodeId(fs, directory);
  if (nodeId === undefined) return false;
  if (formatNodeId(nodeId) === formatNodeId(state.nodeId)) return true;
  const path = joinPath(directory, NODE_ID_NAME);
  throw new KvError(
    "CorruptLog",
    `${path} says ${formatNodeId(nodeId)}, but ACTIVE belongs to ${formatNodeId(state.nodeId)}: ` +
      `files of two stores are mixed; nothing was changed`,
    { path },
  );
}
