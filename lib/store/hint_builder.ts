/** Writes the hint file of a segment by reading it, in short slices. */

import {
  FRAME_HEADER_BYTES,
  OP_DELETE,
  OP_SET_EXPIRING,
  readFrameCrc,
  readU64,
} from "../format/record.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { HintWriter } from "../log/hint_writer.ts";
import type { Segment } from "../log/segment.ts";
import type { SegmentScanner } from "../log/segment_scanner.ts";
import type { Keydir } from "./keydir.ts";
import { type BackgroundContext, SegmentPass } from "./segment_pass.ts";

/** What building a hint works with. */
export interface HintContext extends BackgroundContext {
  fs: FileSystem;
  /** Directory of the log. */
  directory: string;
  nodeId: Uint8Array;
  keydir: Keydir;
  /** LSN up to which everything is durable. */
  lsnDurable: () => number;
}

/**
 * Writes the hint file of a segment that ends with a SYNC mark. Sets that a newer, durable record
 * supersedes are left out; everything else is in it. Returns false if the segment is damaged.
 */
export async function buildHint(context: HintContext, segment: Segment): Promise<boolean> {
  const { fs, directory, nodeId } = context;
  const coveredLength = segment.length;
  const pass = new SegmentPass(segment, nodeId, context);
  const { scanner } = pass;
  await pass.pause();
  if (!scanner.readHeader()) return false;
  const hint = new HintWriter(fs, directory, segment.fileId);
  segment.pin();
  try {
    while (scanner.next()) {
      addEntry(context, hint, scanner);
      if (hint.isFull) await hint.writeOut();
      if (pass.isDue) await pass.pause();
    }
    pass.finish();
    if (scanner.problem !== undefined || !scanner.endsWithMark) {
      hint.abort();
      return false;
    }
    await hint.finish({
      fileId: segment.fileId,
      coveredLength,
      recordCount: scanner.recordCount,
      chain: scanner.chainBeforeMark,
      controlBytes: scanner.controlBytes,
      lastLsn: scanner.lastLsn,
    });
    segment.hintedLength = coveredLength;
    return true;
  } catch (error) {
    hint.abort();
    throw error;
  } finally {
    segment.unpin();
  }
}

function addEntry(context: HintContext, hint: HintWriter, scanner: SegmentScanner): void {
  const { reader } = scanner;
  const { header, buffer, at } = reader;
  const { op, lsn, keyLength, frameLength } = header;
  const keyStart = at + FRAME_HEADER_BYTES;
  if (op !== OP_DELETE && isSuperseded(context, buffer.bytes, keyStart, keyLength, lsn)) return;
  const expiresAt = op === OP_SET_EXPIRING ? readU64(buffer.view, keyStart + keyLength) : 0;
  const crc = readFrameCrc(buffer.view, at, frameLength);
  hint.add(
    op,
    lsn,
    reader.offset,
    frameLength,
    crc,
    expiresAt,
    buffer.bytes,
    keyStart,
    keyLength,
  );
}

function isSuperseded(
  context: HintContext,
  bytes: Uint8Array,
  keyStart: number,
  keyLength: number,
  lsn: number,
): boolean {
  const { index } = context.keydir;
  const hash = index.hash(bytes, keyStart, keyLength);
  const address = index.find(hash, bytes, keyStart, keyLength);
  if (address === 0) return false;
  const newest = index.lsn(address);
  return newest > lsn && newest <= context.lsnDurable();
}
