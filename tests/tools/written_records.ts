/** Every frame of a sound store, read without any tool, so that tools can be held against it. */

import assert from "node:assert/strict";
import { decodeActive } from "../../lib/format/active.ts";
import { segmentName } from "../../lib/format/filename.ts";
import {
  decodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_TRAILER_BYTES,
  FrameHeader,
  OP_BATCH,
  OP_DELETE,
  OP_SET_EXPIRING,
  readU64,
} from "../../lib/format/record.ts";
import { bytesOf, type DiskImage } from "../support/disk_image.ts";

/** A frame as it was written. */
export interface WrittenFrame {
  name: string;
  offset: number;
  length: number;
  op: number;
  lsn: number;
  key: string;
  value: string;
  expiresAt: number;
  /** The BATCH frame it belongs to, and the other frames of that batch. */
  batch: WrittenFrame[] | undefined;
}

/** All frames of the log that ACTIVE names, control frames included. */
export function framesOf(image: DiskImage): WrittenFrame[] {
  const active = decodeActive(bytesOf(image, "ACTIVE"));
  assert("segments" in active, "ACTIVE is whole");
  return active.segments.flatMap(({ fileId }) => framesIn(image, segmentName(fileId)));
}

/** Names of the segments that are there, from the lowest id on. */
export function segmentNames(image: DiskImage): string[] {
  return [...image.keys()].filter((name) => name.endsWith(".log")).sort();
}

/** All frames of one sound segment. */
export function framesIn(image: DiskImage, name: string): WrittenFrame[] {
  const bytes = Uint8Array.from(bytesOf(image, name));
  const buffer = { bytes, view: new DataView(bytes.buffer) };
  const header = new FrameHeader();
  const frames: WrittenFrame[] = [];
  let batch: WrittenFrame[] | undefined;
  let batchLeft = 0;
  // Behind the last frame there may be space for more.
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  for (let offset = 0; offset < end; offset += header.frameLength) {
    assert.equal(decodeFrame(buffer, offset, bytes.length - offset, header), FRAME_OK);
    const { op, lsn, keyLength, frameLength } = header;
    const keyAt = offset + FRAME_HEADER_BYTES;
    const expiresAt = op === OP_SET_EXPIRING ? readU64(buffer.view, keyAt + keyLength) : 0;
    const valueAt = keyAt + keyLength + (op === OP_SET_EXPIRING ? 8 : 0);
    const frame: WrittenFrame = {
      name,
      offset,
      length: frameLength,
      op,
      lsn,
      key: new TextDecoder().decode(bytes.subarray(keyAt, keyAt + keyLength)),
      value: latin1(bytes.subarray(valueAt, offset + frameLength - FRAME_TRAILER_BYTES)),
      expiresAt,
      batch: undefined,
    };
    if (op === OP_BATCH) {
      batch = [frame];
      batchLeft = buffer.view.getUint32(keyAt, true);
    } else if (batch !== undefined && batchLeft > 0) {
      batch.push(frame);
      frame.batch = batch;
      if (--batchLeft === 0) batch = undefined;
    }
    frames.push(frame);
  }
  return frames;
}

/** Whether a frame is a record. */
export function isRecord({ op }: WrittenFrame): boolean {
  return op <= OP_SET_EXPIRING;
}

/** The state that records leave behind: the newest of each key, without what is gone by `now`. */
export function stateOf(records: readonly WrittenFrame[], now: number): Map<string, WrittenFrame> {
  const state = new Map<string, WrittenFrame>();
  for (const record of records) {
    if ((state.get(record.key)?.lsn ?? 0) <= record.lsn) state.set(record.key, record);
  }
  for (const [key, record] of state) if (!isAlive(record, now)) state.delete(key);
  return state;
}

/** Whether a record gives its key a value at `now`. */
export function isAlive({ op, expiresAt }: WrittenFrame, now: number): boolean {
  return op !== OP_DELETE && (op !== OP_SET_EXPIRING || expiresAt > now);
}

/** Bytes as a string of as many characters. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}
