/**
 * Lets a scanner, which reads a file blocking, work on bytes that were read without blocking: they
 * are read ahead, given to the scanner from memory, and handed on once it has found them sound. So
 * what is handed on are the very bytes that were checked.
 */

import { assert } from "../assert.ts";
import { BATCH_FRAME_BYTES, decodeBatchHeader } from "../format/control_record.ts";
import {
  allocateBuffer,
  decodeFrameHeader,
  FRAME_OK,
  FrameHeader,
  isDataOp,
  OP_BATCH,
} from "../format/record.ts";
import { type Readable, readFully, readFullyAsync } from "../fs/whole_file.ts";
import type { PinnedFile } from "../log/pinned_file.ts";

const PIECE_BYTES = 1 << 20;

interface Piece {
  start: number;
  bytes: Uint8Array;
}

/** The beginning of a file, `length` bytes, read piece by piece. */
export class ReadAhead implements Readable {
  #source: PinnedFile;
  #length: number;
  /** One behind the other, up to `#end`. */
  #pieces: Piece[] = [];
  #end = 0;
  #header = new FrameHeader();
  #scratch = allocateBuffer(BATCH_FRAME_BYTES);

  constructor(source: PinnedFile, length: number) {
    this.#source = source;
    this.#length = length;
  }

  /**
   * Whether a scanner that goes on at `offset`, with a buffer of `bufferBytes`, finds all in memory
   * that it needs for the next record, or for the batch that begins there.
   */
  covers(offset: number, bufferBytes: number): boolean {
    return this.#end >= Math.min(this.#length, this.#recordEnd(offset) + bufferBytes);
  }

  /** Reads one more piece. The file is open throughout, even if its owner closes it meanwhile. */
  async readOn(): Promise<void> {
    const bytes = new Uint8Array(Math.min(PIECE_BYTES, this.#length - this.#end));
    this.#source.pin();
    try {
      const { file } = this.#source;
      this.#take(bytes, await readFullyAsync(file, bytes, 0, bytes.length, this.#end));
    } finally {
      this.#source.unpin();
    }
  }

  /** What a scanner calls; where it wants more than was read ahead, it has to wait for the disk. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (position >= this.#end && position < this.#length) {
      assert(position === this.#end, "a scanner reads from front to back");
      const bytes = new Uint8Array(Math.min(length, this.#length - position));
      this.#take(bytes, readFully(this.#source.file, bytes, 0, bytes.length, position));
    }
    const piece = this.#pieces.find(({ start, bytes }) => position < start + bytes.length);
    if (piece === undefined) return 0;
    const at = position - piece.start;
    assert(at >= 0, "a scanner never goes back behind what it found sound");
    const count = Math.min(length, piece.bytes.length - at);
    buffer.set(piece.bytes.subarray(at, at + count), offset);
    return count;
  }

  /** Hands out the pieces that lie before `end`, all of whose bytes were found sound. */
  handOn(end: number): Uint8Array[] {
    const index = this.#pieces.findIndex(({ start, bytes }) => start + bytes.length > end);
    return this.#pieces.splice(0, index < 0 ? this.#pieces.length : index)
      .map(({ bytes }) => bytes);
  }

  #take(bytes: Uint8Array, count: number): void {
    // The file is shorter than it was: the scanner will say so.
    if (count < bytes.length) this.#length = this.#end + count;
    if (count > 0) this.#pieces.push({ start: this.#end, bytes: bytes.subarray(0, count) });
    this.#end += count;
  }

  /** Where the next record or batch from `offset` on ends, as far as that is known already. */
  #recordEnd(offset: number): number {
    const header = this.#header;
    const { bytes, view } = this.#scratch;
    while (offset + BATCH_FRAME_BYTES <= this.#end) {
      readFully(this, bytes, 0, BATCH_FRAME_BYTES, offset);
      // Nothing more is known of a damaged frame, nor need it be.
      if (decodeFrameHeader(view, 0, this.#length - offset, header) !== FRAME_OK) break;
      offset += header.frameLength;
      if (header.op === OP_BATCH) return offset + decodeBatchHeader(view, 0).byteLength;
      if (isDataOp(header.op)) return offset;
    }
    return offset;
  }
}
