/** Holds a checkpoint of the index against the segments it stands for. */

import { KvError } from "../errors.ts";
import type { ActiveState } from "../format/active.ts";
import type { CheckpointSegment } from "../format/checkpoint.ts";
import { OP_SET, OP_SET_EXPIRING } from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { KeyIndex } from "../index/key_index.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { bindCheckpoint, CHECKPOINT_OVERTAKEN } from "../log/checkpoint_binding.ts";
import { CheckpointProblem, CheckpointReader } from "../log/checkpoint_reader.ts";
import { EntryCheck, type IndexEntry } from "./entry_check.ts";

const HARMLESS = " (harmless: it is not used)";

/** What was found out about a checkpoint. */
export interface CheckpointFindings {
  bytes: number;
  /** `harmless` if opening does not use the file. */
  problem?: { offset: number; message: string; harmless: boolean };
}

/**
 * Checks the checkpoint `path` of the log that `state` names and whose segments are open as `files`;
 * undefined if there is none. One that compaction has left behind is in order: it is not used. `pause`
 * is awaited now and then. Throws `Io` if it cannot be read.
 */
export async function verifyCheckpoint(
  fs: FileSystem,
  path: string,
  state: ActiveState,
  files: readonly (File | undefined)[],
  pause: () => Promise<void>,
): Promise<CheckpointFindings | undefined> {
  const file = openIfPresent(fs, path);
  if (file === undefined) return undefined;
  const bytes = file.size();
  try {
    const reader = new CheckpointReader(file);
    const { segments } = reader.header;
    const bound = bindCheckpoint(reader.header, state, files);
    const steps = KeyIndex.load(reader);
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) await pause();
    reader.end();
    if (typeof bound !== "string") await checkEntries(step.value, segments, files, pause);
    else if (bound !== CHECKPOINT_OVERTAKEN) throw new CheckpointProblem(bound, 0);
    return { bytes };
  } catch (error) {
    if (error instanceof CheckpointProblem) {
      const message = error.message + HARMLESS;
      return { bytes, problem: { offset: error.offset, message, harmless: true } };
    }
    if (error instanceof WrongEntry) {
      return { bytes, problem: { offset: 0, message: error.message, harmless: false } };
    }
    throw error;
  } finally {
    file.close();
  }
}

class WrongEntry extends Error {}

async function checkEntries(
  index: KeyIndex,
  segments: readonly CheckpointSegment[],
  files: readonly (File | undefined)[],
  pause: () => Promise<void>,
): Promise<void> {
  const checks = new Map(segments.map(({ fileId, aliveBytes }, position) => {
    const file = files[position];
    return [fileId, { aliveBytes, check: file && new EntryCheck(file) }];
  }));
  const key = new Uint8Array(KEY_BYTES_LIMIT);
  for (let cursor = 0; cursor >= 0;) {
    cursor = index.walk(cursor, (address) => {
      const entry = entryAt(index, address, key);
      const segment = checks.get(index.fileId(address));
      if (segment === undefined) throw new WrongEntry("has an entry for a segment it leaves out");
      segment.aliveBytes -= entry.frameLength;
      if (segment.check !== undefined && !segment.check.matches(entry)) {
        const where = `offset ${entry.offset} of segment ${index.fileId(address)}`;
        throw new WrongEntry(`has an entry for ${where} that is not there`);
      }
    });
    await pause();
  }
  for (const [fileId, { aliveBytes }] of checks) {
    if (aliveBytes !== 0) throw new WrongEntry(`lacks entries of segment ${fileId}`);
  }
}

function entryAt(index: KeyIndex, address: number, key: Uint8Array): IndexEntry {
  const expiresAt = index.expiresAt(address);
  return {
    op: expiresAt === 0 ? OP_SET : OP_SET_EXPIRING,
    lsn: index.lsn(address),
    offset: index.offset(address),
    frameLength: index.frameLength(address),
    crc: index.crc(address),
    expiresAt,
    buffer: { bytes: key },
    keyStart: 0,
    keyLength: index.copyKey(address, key, 0),
  };
}

/** A store that is open elsewhere may remove or replace it at any time. */
function openIfPresent(fs: FileSystem, path: string): File | undefined {
  try {
    return fs.open(path, "read");
  } catch (error) {
    if (error instanceof KvError && systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
