/** Copies chosen records, frame by frame, from the segments of the source to the new store. */

import type { Clock } from "../clock.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  decodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FrameHeader,
  OP_DELETE,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { isFinding } from "./finding.ts";
import { pause } from "./pause.ts";
import type { LostRange } from "./repair_report.ts";
import type { RecordPlace, SalvageIndex } from "./salvage_index.ts";
import type { SalvageWriter } from "./salvage_writer.ts";
import type { SourceSegment } from "./segment_choice.ts";
import { TolerantFile } from "./tolerant_file.ts";

const RECORDS_PER_SLICE = 4096;
/** Records are copied in order of their LSNs, which go through segments one after the other. */
const OPEN_FILES_MAX = 8;
const BUFFER_BYTES = 64 * 1024;

/** What was copied, and what could not be. */
export interface CopyResult {
  /** Records written. */
  records: number;
  /** Those that are a key's value, not expired. */
  keys: number;
  lost: LostRange[];
}

/** Copies the newest record of each key. `now` is in milliseconds since the epoch. */
export async function copyRecords(
  fs: FileSystem,
  segments: readonly SourceSegment[],
  index: SalvageIndex,
  writer: SalvageWriter,
  now: number,
  clock: Clock,
): Promise<CopyResult> {
  const result: CopyResult = { records: 0, keys: 0, lost: [] };
  const files = new OpenFiles(fs, segments);
  const header = new FrameHeader();
  let frame: ByteBuffer = allocateBuffer(BUFFER_BYTES);
  let lsnBefore = 0;
  let seen = 0;
  try {
    for (const place of index.inOrder()) {
      if (++seen % RECORDS_PER_SLICE === 0) await pause(clock);
      const lose = (reason: string) => result.lost.push(makeLost(segments, place, reason));
      if (frame.bytes.length < place.frameLength) frame = allocateBuffer(place.frameLength);
      if (!readRecord(files, place, frame, header)) {
        lose("could not be read a second time");
      } else if (place.lsn === lsnBefore) {
        lose("another record has the same LSN");
      } else {
        writer.append(frame.bytes, place.frameLength, place.lsn, place.crc);
        lsnBefore = place.lsn;
        result.records++;
        if (isAlive(frame, header, now)) result.keys++;
      }
    }
  } finally {
    files.close();
  }
  return result;
}

/** Reads a record again, and makes sure that it is still the one that was chosen. */
function readRecord(
  files: OpenFiles,
  { segmentNumber, offset, frameLength, crc }: RecordPlace,
  frame: ByteBuffer,
  header: FrameHeader,
): boolean {
  const file = files.get(segmentNumber);
  if (file === undefined) return false;
  const count = readFully(file, frame.bytes, 0, frameLength, offset);
  return decodeFrame(frame, 0, count, header) === FRAME_OK && header.frameLength === frameLength &&
    readFrameCrc(frame.view, 0, frameLength) === crc;
}

function isAlive({ view }: ByteBuffer, { op, keyLength }: FrameHeader, now: number): boolean {
  if (op === OP_DELETE) return false;
  return op !== OP_SET_EXPIRING || readU64(view, FRAME_HEADER_BYTES + keyLength) > now;
}

function makeLost(
  segments: readonly SourceSegment[],
  { segmentNumber, offset, frameLength }: RecordPlace,
  reason: string,
): LostRange {
  const { path } = segments[segmentNumber - 1]!;
  return { path, offset, length: frameLength, reason, recordsLost: 1 };
}

/** The source's files, of which few are open at a time. */
class OpenFiles {
  #fs: FileSystem;
  #segments: readonly SourceSegment[];
  #open = new Map<number, TolerantFile>();

  constructor(fs: FileSystem, segments: readonly SourceSegment[]) {
    this.#fs = fs;
    this.#segments = segments;
  }

  get(segmentNumber: number): TolerantFile | undefined {
    let file = this.#open.get(segmentNumber);
    if (file !== undefined) return file;
    if (this.#open.size >= OPEN_FILES_MAX) this.#closeOldest();
    try {
      file = TolerantFile.open(this.#fs, this.#segments[segmentNumber - 1]!.path);
    } catch (error) {
      if (!isFinding(error)) throw error;
      return undefined;
    }
    this.#open.set(segmentNumber, file);
    return file;
  }

  #closeOldest(): void {
    for (const [segmentNumber, file] of this.#open) {
      file.close();
      this.#open.delete(segmentNumber);
      return;
    }
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}
