/** Makes a store out of a backup: checks the backup, copies it, checks the copy. */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { joinPath, segmentName } from "../format/filename.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { readActive } from "../log/active_file.ts";
import { PinnedFile } from "../log/pinned_file.ts";
import { SegmentScanner } from "../log/segment_scanner.ts";
import { type CopyOptions, type CopyReport, copyStore } from "./copy_store.ts";
import { checkDestination } from "./new_store.ts";
import { pause } from "./pause.ts";
import { findLogDirectory, lockSource } from "./salvage_source.ts";
import { PinnedSnapshot, type SnapshotSegment, type StoreSnapshot } from "./store_snapshot.ts";
import { verifyStore } from "./verify.ts";

const RECORDS_PER_SLICE = 4096;
const TASK = "restore into";

/**
 * Copies the store in the directory `backup` into the directory `path`, which must not exist or be
 * empty. Both are verified, the one before anything is written and the other afterwards.
 *
 * Throws `InvalidArgument` for an unusable destination, `CorruptLog` for a backup that is damaged,
 * unfinished, or cannot be read in places, `Locked` if a store has the backup open for writing,
 * `Unsupported` for a newer format, `Io` if the backup is no store or the file system fails,
 * `NoSpace`.
 */
export async function restoreStore(
  fs: FileSystem,
  backup: string,
  path: string,
  clock: Clock,
  { signal }: CopyOptions = {},
): Promise<CopyReport> {
  checkDestination(fs, backup, path, TASK);
  const directory = findLogDirectory(fs, backup);
  // That it cannot be locked, as on a disk mounted for reading only, is no reason to stop.
  const lock = lockSource(fs, backup, [], "close that one first");
  try {
    const advice = "restore another backup, or salvage";
    await assertSound(fs, clock, backup, `Cannot restore ${backup}`, advice);
    signal?.throwIfAborted();
    const sources: PinnedFile[] = [];
    try {
      const snapshot = await openSnapshot(fs, clock, backup, directory, sources);
      try {
        return await copyStore({
          fs,
          snapshot,
          source: backup,
          destination: path,
          task: TASK,
          signal,
          check: () =>
            assertSound(fs, clock, path, `Cannot restore into ${path}`, "choose another disk"),
        });
      } finally {
        snapshot.close();
      }
    } finally {
      for (const source of sources) source.retire();
    }
  } finally {
    lock?.release();
  }
}

async function assertSound(
  fs: FileSystem,
  clock: Clock,
  path: string,
  what: string,
  advice: string,
): Promise<void> {
  const { problems } = await verifyStore(fs, path, clock);
  // A hint file is not needed, and one that is damaged is not copied.
  const [problem] = problems.filter(({ path }) => !path.endsWith(".hint"));
  if (problem === undefined) return;
  const { offset, message } = problem;
  throw new KvError(
    "CorruptLog",
    `${what}: ${problem.path} is damaged at offset ${offset} (${message}); ${advice}`,
    { path: problem.path, offset },
  );
}

/** All files of a store that was found sound; they are added to `sources` as they are opened. */
async function openSnapshot(
  fs: FileSystem,
  clock: Clock,
  path: string,
  directory: string,
  sources: PinnedFile[],
): Promise<StoreSnapshot> {
  const state = readActive(fs, directory);
  if (state === undefined) {
    throw new KvError("Io", `${path} holds no store: check the path`, { path });
  }
  const segments: SnapshotSegment[] = [];
  for (const { fileId } of state.segments) {
    const source = new PinnedFile(fs.open(joinPath(directory, segmentName(fileId)), "read"));
    sources.push(source);
    segments.push({ source, hintedLength: undefined });
  }
  const newest = state.segments.at(-1)!;
  const { file } = sources.at(-1)!;
  const expected = { fileId: newest.fileId, nodeId: state.nodeId };
  const scanner = new SegmentScanner(file, file.size(), expected);
  if (scanner.readHeader()) {
    while (scanner.next()) {
      if (scanner.recordCount % RECORDS_PER_SLICE === 0) await pause(clock);
    }
  }
  // A torn tail stays behind: a store that had the backup open was killed.
  newest.length = scanner.validEnd;
  return new PinnedSnapshot({
    fs,
    clock,
    path,
    state,
    version: scanner.lastLsn,
    segments,
    onClose: () => {},
  });
}
