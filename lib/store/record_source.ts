/** Reads one record of the log, wherever it is, and checks that it is the one the index means. */

import { DAMAGE_ADVICE, KvError } from "../errors.ts";
import { copyBytes, takeBytes } from "../format/copy_bytes.ts";
import { Beginnings } from "../format/crc32.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  computeFrameCrc,
  EXPIRES_AT_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  OP_OFFSET,
  readFrameCrc,
} from "../format/record.ts";
import { readFully, readFullyAsync } from "../fs/whole_file.ts";
import type { LogWriter } from "../log/log_writer.ts";
import type { Segment } from "../log/segment.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { PendingWrite } from "./write_group.ts";
import type { Keydir } from "./keydir.ts";

const SCRATCH_BYTES = 64 * 1024;

/** Values in longer records are read through the thread pool by the asynchronous calls. */
export const BLOCKING_READ_BYTES_MAX = SCRATCH_BYTES;

/**
 * A segment is mapped anew, as far as it reaches then, after so many reads of what was not mapped of
 * it: they took about as long as that does.
 */
export const UNMAPPED_READS_MAX = 1024;

/** Up to this length of frames, views of the scratch buffer are kept, which take longer to make. */
const SHORT_FRAME_BYTES_MAX = 1024;

/** Up to this length a loop copies faster than a call. */
const LOOP_BYTES_MAX = 128;

/** Reads values. */
export class RecordSource {
  #keydir: Keydir;
  #writer: LogWriter | undefined;
  #logger: Logger;
  #memoryMap: boolean;
  #scratch: ByteBuffer = allocateBuffer(SCRATCH_BYTES);
  /** Views of what the CRC of a frame is over, for short frames at the beginning of the scratch. */
  #checked = new Beginnings(this.#scratch.bytes, OP_OFFSET, SHORT_FRAME_BYTES_MAX);
  /** Where in its buffer the frame begins that was loaded last. */
  #at = 0;

  /** `writer` is undefined in a store that was opened for reading only. */
  constructor(
    keydir: Keydir,
    writer: LogWriter | undefined,
    logger: Logger,
    memoryMap: boolean,
  ) {
    this.#keydir = keydir;
    this.#writer = writer;
    this.#logger = logger;
    this.#memoryMap = memoryMap;
  }

  /** The value of the record at `address`, as bytes of the caller's own. */
  read(address: number): Uint8Array {
    const { index } = this.#keydir;
    const frameLength = index.frameLength(address);
    const { bytes } = this.#frameOf(address, frameLength);
    const end = this.#at + frameLength - FRAME_TRAILER_BYTES;
    return takeBytes(bytes, this.#at + this.#valueStart(address), end);
  }

  /** Copies the value of the record at `address` into `target` from `targetAt` on. */
  copy(address: number, target: Uint8Array, targetAt: number): void {
    const { index } = this.#keydir;
    const frameLength = index.frameLength(address);
    const { bytes } = this.#frameOf(address, frameLength);
    const start = this.#at + this.#valueStart(address);
    const length = this.#at + frameLength - FRAME_TRAILER_BYTES - start;
    if (length > LOOP_BYTES_MAX) {
      copyBytes(bytes, start, start + length, target, targetAt);
    } else {
      for (let index = 0; index < length; index++) target[targetAt + index] = bytes[start + index]!;
    }
  }

  /** As {@link read}, for a set that is not in the index yet. */
  readInFlight(write: PendingWrite): Uint8Array {
    const { segment, offset, frameLength, keyLength, expiresAt, crc } = write;
    const { bytes } = this.#load(segment, offset, frameLength, crc);
    const end = this.#at + frameLength - FRAME_TRAILER_BYTES;
    return takeBytes(bytes, this.#at + valueStartOf(keyLength, expiresAt), end);
  }

  #frameOf(address: number, frameLength: number): ByteBuffer {
    const { index, segments } = this.#keydir;
    const segment = segments.get(index.fileId(address));
    return this.#load(segment, index.offset(address), frameLength, index.crc(address));
  }

  /** The buffer that has a frame, checked, from `#at` on. Good until the next call. */
  #load(segment: Segment, offset: number, frameLength: number, crc: number): ByteBuffer {
    const writer = this.#writer;
    if (writer !== undefined && segment === writer.segment && offset >= writer.bufferStart) {
      this.#at = offset - writer.bufferStart;
      this.#check(writer.buffer, this.#at, frameLength, crc, segment, offset);
      return writer.buffer;
    }
    if (offset + frameLength > segment.mappedLength && this.#memoryMap) this.#mapIfWorthIt(segment);
    const buffer = frameLength <= SCRATCH_BYTES ? this.#scratch : allocateBuffer(frameLength);
    const count = readFully(segment.file, buffer.bytes, 0, frameLength, offset);
    if (count < frameLength) throw this.#damaged(segment, offset, "the file ends inside it");
    this.#at = 0;
    this.#check(buffer, 0, frameLength, crc, segment, offset);
    return buffer;
  }

  /** Maps a segment as far as it is certain to stay, after many reads of what is not mapped of it. */
  #mapIfWorthIt(segment: Segment): void {
    if (++segment.unmappedReads < UNMAPPED_READS_MAX) return;
    segment.unmappedReads = 0;
    const length = this.#lengthToStay(segment);
    if (length <= segment.mappedLength) return;
    segment.mappedLength = length;
    this.#keydir.frames.add(segment, segment.file.map?.(length));
  }

  /**
   * How much of a segment nobody will cut off any more. Of the one that is being appended to, or
   * closed, what is durable; and nothing of it in a store that another process may be writing to.
   */
  #lengthToStay(segment: Segment): number {
    const writer = this.#writer;
    if (segment === writer?.segment || segment === writer?.closing) return segment.durableLength;
    return segment === this.#keydir.segments.active ? 0 : segment.length;
  }

  /** As {@link read}, but long records do not block the event loop. */
  async readAsync(address: number): Promise<Uint8Array> {
    const { index, segments } = this.#keydir;
    const frameLength = index.frameLength(address);
    const segment = segments.get(index.fileId(address));
    const offset = index.offset(address);
    const writer = this.#writer;
    const buffered = writer !== undefined && segment === writer.segment &&
      offset >= writer.bufferStart;
    if (frameLength <= BLOCKING_READ_BYTES_MAX || buffered) return this.read(address);
    const crc = index.crc(address);
    const valueStart = this.#valueStart(address);
    const buffer = allocateBuffer(frameLength);
    segment.pin();
    try {
      const count = await readFullyAsync(segment.file, buffer.bytes, 0, frameLength, offset);
      if (count < frameLength) throw this.#damaged(segment, offset, "the file ends inside it");
    } finally {
      segment.unpin();
    }
    this.#check(buffer, 0, frameLength, crc, segment, offset);
    return buffer.bytes.slice(valueStart, frameLength - FRAME_TRAILER_BYTES);
  }

  /** Length of the value of the record at `address`, in bytes. */
  valueLength(address: number): number {
    const frameLength = this.#keydir.index.frameLength(address);
    return frameLength - this.#valueStart(address) - FRAME_TRAILER_BYTES;
  }

  /** As {@link valueLength}, for a set that is not in the index yet. */
  valueLengthInFlight({ frameLength, keyLength, expiresAt }: PendingWrite): number {
    return frameLength - valueStartOf(keyLength, expiresAt) - FRAME_TRAILER_BYTES;
  }

  /** Offset of the value in the frame. */
  #valueStart(address: number): number {
    const { index } = this.#keydir;
    return valueStartOf(index.keyLength(address), index.expiresAt(address));
  }

  /** Throws unless the frame at `at` is the one that the index means, and whole. */
  #check(
    buffer: ByteBuffer,
    at: number,
    frameLength: number,
    crc: number,
    segment: Segment,
    offset: number,
  ): void {
    // The stored CRC must be the indexed one, or this is a valid record, but another one.
    if (
      readFrameCrc(buffer.view, at, frameLength) !== crc ||
      (buffer === this.#scratch && frameLength <= SHORT_FRAME_BYTES_MAX
        ? this.#checked.crc32(frameLength - OP_OFFSET - FRAME_TRAILER_BYTES) !== crc
        : computeFrameCrc(buffer.bytes, at, frameLength) !== crc)
    ) throw this.#damaged(segment, offset, "its checksum does not match");
  }

  #damaged(segment: Segment, offset: number, problem: string): KvError {
    const { path } = segment.file;
    const { fileId } = segment;
    this.#logger.warn("Record at {offset} of {path} is damaged: {problem}", {
      path,
      fileId,
      offset,
      problem,
    });
    return new KvError(
      "CorruptLog",
      `The record at offset ${offset} of ${path} is damaged: ${problem}; ${DAMAGE_ADVICE}`,
      { path, fileId, offset },
    );
  }
}

function valueStartOf(keyLength: number, expiresAt: number): number {
  return FRAME_HEADER_BYTES + keyLength + (expiresAt === 0 ? 0 : EXPIRES_AT_BYTES);
}
