/** Reads the frames of one segment from front to back, whole and checked, or stops and says why. */

import { type Readable, readFully } from "../fs/whole_file.ts";
import { FrameRun } from "../format/frame_run.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  computeFrameCrc,
  decodeFrameHeader,
  FRAME_BAD_CRC,
  FRAME_OK,
  FRAME_OVERHEAD_BYTES,
  FRAME_SHORT,
  FrameHeader,
  type FrameStatus,
  readFrameCrc,
} from "../format/record.ts";

const READ_BYTES = 1 << 20;

/**
 * A cursor over frames. After {@link SegmentReader.next} returned true, `header` describes the
 * current frame, which begins in the file at `offset` and in `buffer` at `at`. After it returned
 * false, `status` says why: `FRAME_OK` at the end, anything else is the damage found at `offset`.
 *
 * Memory: one buffer of 1 MiB unless told otherwise, or of the longest frame; never more than the file
 * is long.
 */
export class SegmentReader {
  readonly header = new FrameHeader();
  buffer: ByteBuffer;
  offset: number;
  at = 0;
  status: FrameStatus = FRAME_OK;
  /** Called before the bytes of frames that were read already move, or are gone. */
  beforeMove: () => void = () => {};

  #file: Readable;
  #end: number;
  #framesEnd: number;
  /** File offset of the first byte in the buffer, and how many bytes it holds. */
  #bufferStart: number;
  #bufferLength = 0;
  #nextOffset: number;
  /** The current frame and those behind it whose checksums were looked at together, and their end. */
  readonly #run = new FrameRun();
  #runEnd = 0;

  /** Reads `file` from `start` to `end`: the frames that begin before `framesEnd`. */
  constructor(
    file: Readable,
    start: number,
    end: number,
    framesEnd = end,
    bufferBytes = READ_BYTES,
  ) {
    this.#file = file;
    this.#end = end;
    this.#framesEnd = framesEnd;
    this.#bufferStart = start;
    this.#nextOffset = start;
    this.offset = start;
    this.buffer = allocateBuffer(
      Math.max(FRAME_OVERHEAD_BYTES, Math.min(bufferBytes, end - start)),
    );
  }

  /** Moves to the next frame; false at the end or at damage. */
  next(): boolean {
    const offset = this.#nextOffset;
    this.offset = offset;
    const available = this.#end - offset;
    if (available === 0 || offset >= this.#framesEnd) {
      this.status = FRAME_OK;
      return false;
    }
    this.status = this.#load(offset);
    if (this.status !== FRAME_OK) return false;
    this.#nextOffset = offset + this.header.frameLength;
    return true;
  }

  /** Where in the buffer the next frame begins. */
  get nextAt(): number {
    return this.#nextOffset - this.#bufferStart;
  }

  /** Up to where in the buffer, from `nextAt` on, whole frames are known to be sound. */
  get soundEndAt(): number {
    return this.#run.isSound ? this.#runEnd - this.#bufferStart : this.nextAt;
  }

  /** Leaves frames out, up to `at` in the buffer, which is not beyond `soundEndAt`. */
  skipTo(at: number): void {
    this.#nextOffset = this.#bufferStart + at;
  }

  /** Brings the frame at `offset` into the buffer and checks it. */
  #load(offset: number): FrameStatus {
    this.#fill(offset, Math.min(this.#end - offset, FRAME_OVERHEAD_BYTES));
    this.at = offset - this.#bufferStart;
    const status = decodeFrameHeader(this.buffer.view, this.at, this.#end - offset, this.header);
    if (status !== FRAME_OK) return status;
    const { frameLength } = this.header;
    this.#fill(offset, frameLength);
    this.at = offset - this.#bufferStart;
    if (this.#bufferLength - this.at < frameLength) return FRAME_SHORT;
    return this.#checksumHolds(offset, frameLength) ? FRAME_OK : FRAME_BAD_CRC;
  }

  #checksumHolds(offset: number, frameLength: number): boolean {
    const run = this.#run;
    if (offset >= this.#runEnd) {
      const end = Math.min(this.#bufferLength, this.#framesEnd - this.#bufferStart);
      run.check(this.buffer, this.at, end);
      this.#runEnd = offset + run.end - this.at;
    }
    return run.isSound ||
      readFrameCrc(this.buffer.view, this.at, frameLength) ===
        computeFrameCrc(this.buffer.bytes, this.at, frameLength);
  }

  /** Makes `length` bytes from `offset` available in the buffer. */
  #fill(offset: number, length: number): void {
    const at = offset - this.#bufferStart;
    if (at + length <= this.#bufferLength) return;
    this.beforeMove();
    const kept = this.#bufferLength - at;
    const previous = this.buffer.bytes;
    if (length > previous.length) this.buffer = allocateBuffer(length);
    this.buffer.bytes.set(previous.subarray(at, at + kept), 0);
    const wanted = Math.min(this.buffer.bytes.length, this.#end - offset) - kept;
    const count = readFully(this.#file, this.buffer.bytes, kept, wanted, offset + kept);
    this.#bufferStart = offset;
    this.#bufferLength = kept + count;
    // The file got shorter while it was read: go on with what there is.
    if (count < wanted) this.#end = offset + kept + count;
  }
}
