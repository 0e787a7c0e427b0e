/** Inspects a segment frame by frame, over damage. */

import type { Clock } from "../clock.ts";
import {
  decodeBatchHeader,
  decodeSegmentHeader,
  decodeSyncMark,
} from "../format/control_record.ts";
import { formatNodeId } from "../format/node_id.ts";
import {
  allocateBuffer,
  decodeFrameHeader,
  describeFrameStatus,
  EXPIRES_AT_BYTES,
  FRAME_BAD_CRC,
  FRAME_HEADER_BYTES,
  FRAME_OK,
  FRAME_SHORT,
  FRAME_TRAILER_BYTES,
  FrameHeader,
  isDataOp,
  OP_BATCH,
  OP_DELETE,
  OP_SEGMENT,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { SegmentReader } from "../log/segment_reader.ts";
import { endOfFrames } from "../log/zero_tail.ts";
import { pause } from "./pause.ts";
import { FrameSearch } from "./frame_search.ts";
import {
  type ControlItem,
  type DamageItem,
  type FieldsItem,
  type InspectItem,
  nameOfOp,
  type RecordItem,
} from "./inspect_item.ts";

const FRAMES_PER_SLICE = 1024;

/** Yields the frames and the damage in the first `size` bytes of `file`. */
export async function* inspectSegment(
  file: File,
  size: number,
  withValues: boolean,
  clock: Clock,
): AsyncGenerator<InspectItem> {
  const known = { fileId: 0, lastLsn: 0, firstLsn: undefined as number | undefined };
  let frames = 0;
  let offset = 0;
  const framesEnd = endOfFrames(file, size);
  const search = new FrameSearch(file, size, framesEnd);
  while (offset < framesEnd) {
    const reader = new SegmentReader(file, offset, size, framesEnd);
    while (reader.next()) {
      const { op, lsn } = reader.header;
      if (isDataOp(op)) known.lastLsn = lsn;
      if (op === OP_SEGMENT && reader.offset === 0) {
        const { fileId, compacted } = decodeSegmentHeader(reader.buffer, reader.at, lsn);
        Object.assign(known, { fileId, lastLsn: lsn - 1, firstLsn: compacted ? undefined : lsn });
      }
      yield isDataOp(op) ? describeRecord(reader, withValues) : describeControl(reader);
      if (++frames % FRAMES_PER_SLICE === 0) await pause(clock);
    }
    if (reader.status === FRAME_OK) {
      if (reader.offset < size) yield describeZeros(reader.offset, size);
      return;
    }
    if (reader.status === FRAME_SHORT) {
      const grown = readGrown(file, reader.offset, size);
      if (grown !== undefined) {
        const isRecord = isDataOp(grown.header.op);
        yield isRecord ? describeRecord(grown, withValues) : describeControl(grown);
        return;
      }
    }
    const resumption = search.resume(reader.offset, known);
    if (resumption?.skipsRecord) known.lastLsn++;
    const end = resumption?.offset ?? size;
    yield describeDamage(file, reader.offset, end, size, reader.status);
    offset = end;
  }
}

/** The frame at `offset`, if it is only short because it was being written when `size` was taken. */
function readGrown(file: File, offset: number, size: number): SegmentReader | undefined {
  const sizeNow = file.size();
  if (sizeNow <= size) return undefined;
  const reader = new SegmentReader(file, offset, sizeNow);
  return reader.next() ? reader : undefined;
}

function describeZeros(offset: number, size: number): FieldsItem {
  return { kind: "fields", offset, fields: { zeros: size - offset } };
}

function describeRecord(reader: SegmentReader, withValue: boolean): RecordItem {
  const { header, buffer, at, offset } = reader;
  const { op, lsn, keyLength, frameLength } = header;
  const keyStart = at + FRAME_HEADER_BYTES;
  const keyEnd = keyStart + keyLength;
  const valueStart = keyEnd + (op === OP_SET_EXPIRING ? EXPIRES_AT_BYTES : 0);
  const valueEnd = at + frameLength - FRAME_TRAILER_BYTES;
  return {
    kind: "record",
    offset,
    length: frameLength,
    op: nameOfOp(op),
    lsn,
    key: buffer.bytes.slice(keyStart, keyEnd),
    ...(op === OP_DELETE ? {} : { valueLength: valueEnd - valueStart }),
    ...(op === OP_DELETE || !withValue ? {} : { value: buffer.bytes.slice(valueStart, valueEnd) }),
    ...(op === OP_SET_EXPIRING ? { expiresAt: readU64(buffer.view, keyEnd) } : {}),
    crc: readFrameCrc(buffer.view, at, frameLength),
  };
}

function describeControl(reader: SegmentReader): ControlItem {
  const { header, buffer, at, offset } = reader;
  const { op, lsn, frameLength } = header;
  return {
    kind: "control",
    offset,
    length: frameLength,
    op: nameOfOp(op),
    lsn,
    fields: controlFields(reader),
    crc: readFrameCrc(buffer.view, at, frameLength),
  };
}

function controlFields({ header, buffer, at }: SegmentReader): ControlItem["fields"] {
  const { op, lsn } = header;
  if (op === OP_SEGMENT) {
    const { nodeId, ...fields } = decodeSegmentHeader(buffer, at, lsn);
    return { ...fields, nodeId: formatNodeId(nodeId) };
  }
  return op === OP_BATCH
    ? { ...decodeBatchHeader(buffer.view, at) }
    : { ...decodeSyncMark(buffer.view, at, lsn) };
}

function describeDamage(
  file: File,
  offset: number,
  end: number,
  size: number,
  status: number,
): DamageItem {
  const damage: DamageItem = {
    kind: "damage",
    offset,
    length: end - offset,
    message: describeFrameStatus(status),
  };
  if (status !== FRAME_BAD_CRC && status !== FRAME_SHORT) return damage;
  const start = allocateBuffer(FRAME_HEADER_BYTES);
  const count = readFully(file, start.bytes, 0, FRAME_HEADER_BYTES, offset);
  const header = new FrameHeader();
  const decoded = count < FRAME_HEADER_BYTES
    ? FRAME_SHORT
    : decodeFrameHeader(start.view, 0, Math.max(size - offset, FRAME_HEADER_BYTES), header);
  if (decoded !== FRAME_OK) return damage;
  const { op, lsn, keyLength, storedValueLength } = header;
  const claims = { op: nameOfOp(op), lsn, keyLength, valueLength: storedValueLength };
  return { ...damage, claims };
}
