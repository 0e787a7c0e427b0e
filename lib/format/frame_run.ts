/**
 * Checks the checksums of many frames at once, in a small part of the time of checking each.
 *
 * Whatever the bytes are, after them and their CRC the register in which a CRC is computed is always
 * in the same state. So after whole frames in a row its state follows from where they begin, and
 * from nothing else:
 *
 *     state = RESIDUE ^ Z(length - 6, HEAD ^ Z(6, state before the frame))
 *
 * Z(n, s) is what n zero bytes make of the state s. HEAD takes away what MAGIC and VERSION do to it,
 * which no checksum covers, and puts in what a CRC starts from. All of this is linear: frames in a
 * row have the CRC of a _mask_ of zeros with RESIDUE and HEAD in it where each frame begins.
 *
 * If one frame is damaged, and not in its lengths, this notices exactly what the frame's own checksum
 * would: however many bytes follow, they turn no difference into none. Other damage goes unnoticed
 * once in 2^32 times, as with any checksum.
 */

import { crc32 } from "node:zlib";
import {
  allocateBuffer,
  type ByteBuffer,
  FORMAT_VERSION,
  FRAME_MAGIC,
  FRAME_OVERHEAD_BYTES,
  KEY_LENGTH_OFFSET,
  MAGIC_OFFSET,
  OP_OFFSET,
  VALUE_LENGTH_OFFSET,
  VERSION_OFFSET,
} from "./record.ts";

/** The longest run of frames, in bytes: it and its mask fit the processor's nearest caches. */
const RUN_BYTES_MAX = 1 << 15;

const RESIDUE = ~crc32(new Uint8Array(4)) >>> 0;
const HEAD = headOfFrame();

/** Zeros, but for the time of a call. */
const mask = allocateBuffer(RUN_BYTES_MAX);

/** Frames that follow each other, and whether their checksums hold. */
export class FrameRun {
  /** Where the last frame ends. */
  end = 0;
  /** Whether all checksums hold. If not, some may. */
  isSound = false;

  /**
   * Checks the whole frames in `bytes[start, end)`, or the first of them if there are many. The first
   * one must be whole. One alone is not found to be sound: that is for its own checksum to say.
   */
  check({ bytes, view }: ByteBuffer, start: number, end: number): void {
    const limit = Math.min(end, start + RUN_BYTES_MAX);
    let at = start;
    let next = start + frameLengthAt(view, start);
    this.end = next;
    this.isSound = false;
    while (next <= limit) {
      mask.view.setUint32(at - start, RESIDUE, true);
      mask.view.setUint32(at - start + OP_OFFSET, HEAD, true);
      at = next;
      if (limit - at < FRAME_OVERHEAD_BYTES) break;
      next += frameLengthAt(view, at);
    }
    const maskOfRun = mask.bytes.subarray(0, at - start);
    if (at > this.end) {
      this.end = at;
      const expected = (crc32(maskOfRun, RESIDUE) ^ RESIDUE) >>> 0;
      this.isSound = crc32(bytes.subarray(start, at)) === expected;
    }
    maskOfRun.fill(0);
  }
}

function frameLengthAt(view: DataView, at: number): number {
  return FRAME_OVERHEAD_BYTES + view.getUint32(at + KEY_LENGTH_OFFSET, true) +
    view.getUint32(at + VALUE_LENGTH_OFFSET, true);
}

function headOfFrame(): number {
  const { bytes, view } = allocateBuffer(OP_OFFSET);
  view.setUint32(MAGIC_OFFSET, FRAME_MAGIC, true);
  view.setUint16(VERSION_OFFSET, FORMAT_VERSION, true);
  // A CRC is the inverted state, and begins with the inverse of what it is given: this is the state
  // after these bytes, from 0, combined with the one that a CRC starts from.
  return crc32(bytes, 0xffffffff);
}
