/** Reads the record that the index has named, wherever it is, and checks that it is that one. */

import {
  allocateBuffer,
  type ByteBuffer,
  computeFrameCrc,
  EXPIRES_AT_BYTES,
  FRAME_BYTES_LIMIT,
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  readFrameCrc,
} from "../format/record.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { readFully, readFullyAsync } from "../fs/whole_file.ts";
import { HIDDEN, IN_FILE, IN_TAIL, type SharedTailReader } from "../log/shared_tail.ts";
import type { OpenSegment, OpenSegments } from "./open_segments.ts";

const SCRATCH_BYTES = 64 * 1024;
/** Longer records are read through the thread pool by the asynchronous calls. */
export const BLOCKING_READ_BYTES_MAX = SCRATCH_BYTES;

/** Where a record lies, as the index had it at one moment, and what it must be. */
export interface RecordPlace {
  fileId: number;
  offset: number;
  frameLength: number;
  /** Unsigned. */
  crc: number;
  lsn: number;
  /** In milliseconds since the epoch, or 0 for never. */
  expiresAt: number;
}

/** Why a read did not come by the value. Another look into the index may help. */
export type Obstacle =
  | "its file is not there"
  | "it is not in its file yet"
  | "the file ends inside it"
  | "its checksum does not match"
  | "it has another key"
  | "its length is impossible";

/** Reads values for one reader. */
export class RecordRead {
  readonly #files: OpenSegments;
  readonly #tail: SharedTailReader | undefined;
  readonly #scratch = allocateBuffer(SCRATCH_BYTES);
  /** Where the frame goes, or is already. */
  #buffer = this.#scratch;
  /** Where it is to be read from; undefined if it is in the buffer already. */
  #segment: OpenSegment | undefined;
  readonly #allocate = (length: number): Uint8Array => {
    this.#buffer = length <= SCRATCH_BYTES ? this.#scratch : allocateBuffer(length);
    return this.#buffer.bytes;
  };

  /** Reads from `files`, and from `tail` what is not in them yet. */
  constructor(files: OpenSegments, tail: SharedTailReader | undefined) {
    this.#files = files;
    this.#tail = tail;
  }

  /** The value of the record at `place`, which is to be that of the key in `key`. */
  read(place: RecordPlace, key: Uint8Array, keyLength: number): Uint8Array | Obstacle {
    const obstacle = this.#prepare(place, keyLength);
    if (obstacle !== undefined) return obstacle;
    const segment = this.#segment;
    if (segment !== undefined) {
      const { offset, frameLength } = place;
      if (offset + frameLength > segment.mappedLength) this.#files.mapIfWorthIt(segment);
      const count = readFully(segment.file, this.#buffer.bytes, 0, frameLength, offset);
      if (count < frameLength) return "the file ends inside it";
    }
    return takeValue(this.#buffer, place, key, keyLength);
  }

  /** As {@link read}, but a record longer than {@link BLOCKING_READ_BYTES_MAX} does not block. */
  async readAsync(
    place: RecordPlace,
    key: Uint8Array,
    keyLength: number,
  ): Promise<Uint8Array | Obstacle> {
    const { offset, frameLength } = place;
    if (frameLength <= BLOCKING_READ_BYTES_MAX) return this.read(place, key, keyLength);
    const obstacle = this.#prepare(place, keyLength);
    if (obstacle !== undefined) return obstacle;
    // Not the scratch buffer, which other reads use meanwhile: the record is too long for it.
    const buffer = this.#buffer;
    const file = this.#segment?.file;
    if (file !== undefined) {
      try {
        const count = await readFullyAsync(file, buffer.bytes, 0, frameLength, offset);
        if (count < frameLength) return "the file ends inside it";
      } catch (error) {
        // Closed between two reads, since compaction has removed it.
        if (systemErrorCode(error) === "EBADF") return "its file is not there";
        throw error;
      }
    }
    return takeValue(buffer, place, key, keyLength);
  }

  #prepare(place: RecordPlace, keyLength: number): Obstacle | undefined {
    const { fileId, offset, frameLength } = place;
    const lengthMin = valueStartOf(place, keyLength) + FRAME_TRAILER_BYTES;
    if (!(frameLength >= lengthMin && frameLength <= FRAME_BYTES_LIMIT)) {
      return "its length is impossible";
    }
    this.#segment = undefined;
    const where = this.#tail?.copy(fileId, offset, frameLength, this.#allocate) ?? IN_FILE;
    if (where === IN_TAIL) return undefined;
    if (where === HIDDEN) return "it is not in its file yet";
    const segment = this.#files.get(fileId);
    if (segment === undefined) return "its file is not there";
    if (frameLength > SCRATCH_BYTES && segment.file.size() < offset + frameLength) {
      return "the file ends inside it";
    }
    this.#allocate(frameLength);
    this.#segment = segment;
    return undefined;
  }
}

/** The value in a frame, as bytes of the caller's own, if the frame is the one that was meant. */
function takeValue(
  buffer: ByteBuffer,
  place: RecordPlace,
  key: Uint8Array,
  keyLength: number,
): Uint8Array | Obstacle {
  const { frameLength, crc } = place;
  const { bytes } = buffer;
  if (
    readFrameCrc(buffer.view, 0, frameLength) !== crc ||
    computeFrameCrc(bytes, 0, frameLength) !== crc
  ) return "its checksum does not match";
  for (let at = 0; at < keyLength; at++) {
    if (bytes[FRAME_HEADER_BYTES + at] !== key[at]) return "it has another key";
  }
  return bytes.slice(valueStartOf(place, keyLength), frameLength - FRAME_TRAILER_BYTES);
}

/** Length of the value of the record at `place`, in bytes. */
export function valueLengthOf(place: RecordPlace, keyLength: number): number {
  return place.frameLength - valueStartOf(place, keyLength) - FRAME_TRAILER_BYTES;
}

function valueStartOf({ expiresAt }: RecordPlace, keyLength: number): number {
  return FRAME_HEADER_BYTES + keyLength + (expiresAt === 0 ? 0 : EXPIRES_AT_BYTES);
}
