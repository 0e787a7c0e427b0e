/** Inspects a hint file block by block and entry by entry, over damaged blocks. */

import { crc32 } from "../format/crc32.ts";
import {
  decodeHintHeader,
  HINT_BLOCK_BYTES_MAX,
  HINT_BLOCK_HEADER_BYTES,
  HINT_ENTRY_BYTES,
  HINT_ENTRY_BYTES_MAX,
  HINT_ENTRY_FIELDS,
  HINT_HEADER_BYTES,
} from "../format/hint.ts";
import {
  allocateBuffer,
  type ByteBuffer,
  isDataOp,
  isExpiry,
  OP_SET_EXPIRING,
  readU64,
} from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import {
  type DamageItem,
  type EntryItem,
  type FieldsItem,
  type InspectItem,
  nameOfOp,
} from "./inspect_item.ts";

const BLOCK_BYTES_LIMIT = HINT_BLOCK_BYTES_MAX + HINT_ENTRY_BYTES_MAX;

/** Yields the header, the entries and the damage in the first `size` bytes of `file`. */
export function* inspectHint(file: File, size: number): Generator<InspectItem> {
  const buffer = allocateBuffer(Math.max(HINT_HEADER_BYTES, Math.min(BLOCK_BYTES_LIMIT, size)));
  const count = readFully(file, buffer.bytes, 0, Math.min(HINT_HEADER_BYTES, size), 0);
  const header = decodeHintHeader(buffer.bytes.subarray(0, count));
  if (typeof header === "string") yield damaged(0, count, header);
  else yield { kind: "fields", offset: 0, fields: { ...header } };
  if (size < HINT_HEADER_BYTES) return;
  let position = HINT_HEADER_BYTES;
  let entries = 0;
  while (position < size) {
    const start = position;
    const block = readBlock(file, buffer, start, size);
    if (typeof block === "string") return yield damaged(start, size - start, block);
    position += HINT_BLOCK_HEADER_BYTES + block.byteLength;
    if (block.byteLength === 0) {
      return yield* inspectEnd(start, size, block.crc, entries);
    }
    if (crc32(buffer.bytes, 0, block.byteLength) !== block.crc) {
      yield damaged(start, position - start, "a block's checksum does not match");
      continue;
    }
    for (const item of inspectEntries(buffer, block.byteLength, start + HINT_BLOCK_HEADER_BYTES)) {
      if (item.kind === "entry") entries++;
      yield item;
    }
  }
  yield damaged(position, 0, "it ends too early");
}

/** Reads the block at `offset` into the buffer; or says why that is impossible. */
function readBlock(
  file: File,
  buffer: ByteBuffer,
  offset: number,
  size: number,
): { byteLength: number; crc: number } | string {
  const { bytes, view } = buffer;
  const count = readFully(file, bytes, 0, HINT_BLOCK_HEADER_BYTES, offset);
  if (count < HINT_BLOCK_HEADER_BYTES) return "it ends too early";
  const byteLength = view.getUint32(0, true);
  const crc = view.getUint32(4, true);
  const room = size - offset - HINT_BLOCK_HEADER_BYTES;
  if (byteLength > BLOCK_BYTES_LIMIT || byteLength > room) {
    return "a block has an impossible length";
  }
  const start = offset + HINT_BLOCK_HEADER_BYTES;
  if (readFully(file, bytes, 0, byteLength, start) < byteLength) return "it ends too early";
  return { byteLength, crc };
}

function* inspectEntries(
  { bytes, view }: ByteBuffer,
  byteLength: number,
  fileOffset: number,
): Generator<EntryItem | DamageItem> {
  let at = 0;
  while (at < byteLength) {
    const left = byteLength - at;
    if (left < HINT_ENTRY_BYTES) return yield damaged(fileOffset + at, left, "an entry is cut off");
    const op = view.getUint8(at + HINT_ENTRY_FIELDS.op);
    const keyLength = view.getUint16(at + HINT_ENTRY_FIELDS.keyLengthMinusOne, true) + 1;
    const expiryLength = op === OP_SET_EXPIRING ? 8 : 0;
    const keyStart = at + HINT_ENTRY_BYTES + expiryLength;
    if (!isDataOp(op) || keyStart + keyLength > byteLength) {
      return yield damaged(fileOffset + at, left, "an entry is impossible");
    }
    const expiresAt = expiryLength === 0 ? undefined : readU64(view, at + HINT_ENTRY_BYTES);
    if (expiresAt !== undefined && !isExpiry(expiresAt)) {
      return yield damaged(fileOffset + at, left, "an entry has an impossible expiry");
    }
    yield {
      kind: "entry",
      offset: fileOffset + at,
      op: nameOfOp(op),
      lsn: view.getUint16(at + HINT_ENTRY_FIELDS.lsnHigh, true) * 0x1_0000_0000 +
        view.getUint32(at + HINT_ENTRY_FIELDS.lsnLow, true),
      key: bytes.slice(keyStart, keyStart + keyLength),
      recordOffset: view.getUint32(at + HINT_ENTRY_FIELDS.offset, true),
      recordLength: view.getUint32(at + HINT_ENTRY_FIELDS.frameLength, true),
      recordCrc: view.getUint32(at + HINT_ENTRY_FIELDS.crc, true),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    };
    at = keyStart + keyLength;
  }
}

function* inspectEnd(
  offset: number,
  size: number,
  entryCount: number,
  entries: number,
): Generator<FieldsItem | DamageItem> {
  yield { kind: "fields", offset, fields: { entryCount } };
  if (entryCount !== entries) {
    yield damaged(offset, HINT_BLOCK_HEADER_BYTES, `${entries} of ${entryCount} entries are there`);
  }
  const end = offset + HINT_BLOCK_HEADER_BYTES;
  if (end < size) yield damaged(end, size - end, "it goes on behind its end");
}

function damaged(offset: number, length: number, message: string): DamageItem {
  return { kind: "damage", offset, length, message };
}
