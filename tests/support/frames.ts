/** The frames of a segment: where they begin and end, and how to make some of one's own. */

import assert from "node:assert/strict";
import { OP_SYNC } from "../../lib/format/record.ts";
import {
  allocateBuffer,
  decodeFrame,
  finishFrame,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FrameHeader,
  frameLengthOf,
  writeFrameHeader,
} from "../../lib/format/record.ts";

/** One frame of a segment. */
export interface Frame {
  offset: number;
  end: number;
  op: number;
  lsn: number;
  isMark: boolean;
}

/** Lists the frames of an undamaged segment. */
export function framesOf(bytes: Uint8Array): Frame[] {
  const buffer = allocateBuffer(bytes.length);
  buffer.bytes.set(bytes);
  const header = new FrameHeader();
  const frames: Frame[] = [];
  for (let offset = 0; offset < bytes.length;) {
    assert.equal(decodeFrame(buffer, offset, bytes.length - offset, header), FRAME_OK);
    const { op, lsn, frameLength } = header;
    const end = offset + frameLength;
    frames.push({ offset, end, op, lsn, isMark: op === OP_SYNC });
    offset = end;
  }
  return frames;
}

/** Makes a frame with a checksum that holds. `value` is the value as stored. */
export function makeFrame(
  op: number,
  lsn: number,
  key = "",
  value = new Uint8Array(0),
): Uint8Array {
  const keyBytes = new TextEncoder().encode(key);
  const length = frameLengthOf(keyBytes.length, value.length);
  const buffer = allocateBuffer(length);
  writeFrameHeader(buffer.view, 0, op, lsn, keyBytes.length, value.length);
  buffer.bytes.set(keyBytes, FRAME_HEADER_BYTES);
  buffer.bytes.set(value, FRAME_HEADER_BYTES + keyBytes.length);
  finishFrame(buffer, 0, length);
  return buffer.bytes;
}
