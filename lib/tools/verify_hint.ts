/** Holds a hint file against the segment it stands for. */

import { KvError } from "../errors.ts";
import {
  allocateBuffer,
  decodeFrameHeader,
  EXPIRES_AT_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_TRAILER_BYTES,
  FrameHeader,
  OP_SET_EXPIRING,
  readU64,
} from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { readFully } from "../fs/whole_file.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { findUnboundHint } from "../log/hint_binding.ts";
import { HintReader } from "../log/hint_reader.ts";
import { inspectHint } from "./inspect_hint.ts";

const ENTRIES_PER_SLICE = 4096;
const HARMLESS = " (harmless: it is not used, and written anew)";

/** What was found out about a hint file. */
export interface HintFindings {
  bytes: number;
  /** `harmless` if opening does not use the file and writes it anew. */
  problem?: { offset: number; message: string; harmless: boolean };
}

/**
 * Checks the hint file `path` of the open segment `segment`; undefined if there is none. `pause` is
 * awaited now and then. Throws `Io` if it cannot be read.
 */
export async function verifyHint(
  fs: FileSystem,
  path: string,
  segment: File,
  fileId: number,
  pause: () => Promise<void>,
): Promise<HintFindings | undefined> {
  const file = openIfPresent(fs, path);
  if (file === undefined) return undefined;
  try {
    const bytes = file.size();
    const hint = new HintReader(file);
    const { header } = hint;
    const unbound = header === undefined ? undefined : findUnboundHint(header, segment, fileId);
    if (unbound !== undefined) {
      // A hint for more than there is says that the segment was longer, and durable.
      const harmless = header!.fileId !== fileId || header!.coveredLength <= segment.size();
      return {
        bytes,
        problem: { offset: 0, message: unbound + (harmless ? HARMLESS : ""), harmless },
      };
    }
    const check = new EntryCheck(segment);
    for (let entries = 1; hint.next(); entries++) {
      if (!check.matches(hint)) {
        const offset = findEntry(file, bytes, entries);
        const message = `has an entry for offset ${hint.offset} that is not there`;
        return { bytes, problem: { offset, message, harmless: false } };
      }
      if (entries % ENTRIES_PER_SLICE === 0) await pause();
    }
    if (hint.problem === undefined) return { bytes };
    const message = hint.problem + HARMLESS;
    return { bytes, problem: { offset: findDamage(file, bytes), message, harmless: true } };
  } finally {
    file.close();
  }
}

/** A store that is open elsewhere may remove or replace a hint file at any time. */
function openIfPresent(fs: FileSystem, path: string): File | undefined {
  try {
    return fs.open(path, "read");
  } catch (error) {
    if (error instanceof KvError && systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Where the entry number `count` stands. */
function findEntry(file: File, size: number, count: number): number {
  let seen = 0;
  for (const item of inspectHint(file, size)) {
    if (item.kind === "entry" && ++seen === count) return item.offset;
  }
  return 0;
}

function findDamage(file: File, size: number): number {
  for (const item of inspectHint(file, size)) if (item.kind === "damage") return item.offset;
  return 0;
}

/** Compares entries of a hint file with the frames they point at. */
class EntryCheck {
  #segment: File;
  #start = allocateBuffer(FRAME_HEADER_BYTES + KEY_BYTES_LIMIT + EXPIRES_AT_BYTES);
  #trailer = allocateBuffer(FRAME_TRAILER_BYTES);
  #header = new FrameHeader();

  constructor(segment: File) {
    this.#segment = segment;
  }

  matches(hint: HintReader): boolean {
    const header = this.#header;
    const { bytes, view } = this.#start;
    const expiryLength = hint.op === OP_SET_EXPIRING ? EXPIRES_AT_BYTES : 0;
    const length = FRAME_HEADER_BYTES + hint.keyLength + expiryLength;
    if (hint.frameLength < length + FRAME_TRAILER_BYTES) return false;
    if (readFully(this.#segment, bytes, 0, length, hint.offset) < length) return false;
    if (decodeFrameHeader(view, 0, hint.frameLength, header) !== FRAME_OK) return false;
    const crcAt = hint.offset + hint.frameLength - FRAME_TRAILER_BYTES;
    const trailer = this.#trailer;
    if (readFully(this.#segment, trailer.bytes, 0, FRAME_TRAILER_BYTES, crcAt) < 4) return false;
    return header.op === hint.op && header.lsn === hint.lsn &&
      header.keyLength === hint.keyLength && header.frameLength === hint.frameLength &&
      trailer.view.getUint32(0, true) === hint.crc && this.#hasKeyOf(hint) &&
      (expiryLength === 0 ||
        readU64(view, FRAME_HEADER_BYTES + hint.keyLength) === hint.expiresAt);
  }

  #hasKeyOf({ buffer, keyStart, keyLength }: HintReader): boolean {
    const { bytes } = this.#start;
    for (let index = 0; index < keyLength; index++) {
      if (bytes[FRAME_HEADER_BYTES + index] !== buffer.bytes[keyStart + index]) return false;
    }
    return true;
  }
}
