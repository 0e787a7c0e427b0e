/** Inspects a checkpoint: its header, the segments it stands for, and its blocks. */

import {
  CHECKPOINT_BLOCK_BYTES_MAX,
  CHECKPOINT_BLOCK_HEADER_BYTES,
  checkpointHeaderBytes,
} from "../format/checkpoint.ts";
import { crc32 } from "../format/crc32.ts";
import { formatNodeId } from "../format/node_id.ts";
import { allocateBuffer } from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { CheckpointProblem, CheckpointReader } from "../log/checkpoint_reader.ts";
import type { DamageItem, InspectItem } from "./inspect_item.ts";

/** Yields the header, the segments, the number of blocks, and the damage in a checkpoint. */
export function* inspectCheckpoint(file: File, size: number): Generator<InspectItem> {
  const header = readHeader(file);
  if (header instanceof CheckpointProblem) return yield damaged(0, size, header.message);
  const { nodeId, segments } = header;
  const count = segments.length;
  yield { kind: "fields", offset: 0, fields: { nodeId: formatNodeId(nodeId), segments: count } };
  for (const segment of segments) yield { kind: "fields", offset: 0, fields: { ...segment } };
  yield* inspectBlocks(file, size, checkpointHeaderBytes(count));
}

function readHeader(file: File): CheckpointReader["header"] | CheckpointProblem {
  try {
    return new CheckpointReader(file).header;
  } catch (error) {
    if (error instanceof CheckpointProblem) return error;
    throw error;
  }
}

function* inspectBlocks(file: File, size: number, start: number): Generator<InspectItem> {
  const header = allocateBuffer(CHECKPOINT_BLOCK_HEADER_BYTES);
  const block = new Uint8Array(CHECKPOINT_BLOCK_BYTES_MAX);
  let position = start;
  let blocks = 0;
  for (;;) {
    const count = readFully(file, header.bytes, 0, header.bytes.length, position);
    const byteLength = header.view.getUint32(0, true);
    const crc = header.view.getUint32(4, true);
    const bodyStart = position + header.bytes.length;
    if (count < header.bytes.length || byteLength > Math.min(block.length, size - bodyStart)) {
      return yield damaged(
        position,
        size - position,
        "a block is cut off, or has an impossible length",
      );
    }
    if (byteLength === 0) {
      yield { kind: "fields", offset: position, fields: { blocks } };
      if (crc !== blocks) yield damaged(position, size - position, "blocks are missing");
      if (bodyStart !== size) {
        yield damaged(bodyStart, size - bodyStart, "it goes on behind its end");
      }
      return;
    }
    readFully(file, block, 0, byteLength, bodyStart);
    if (crc32(block, 0, byteLength) !== crc) {
      yield damaged(position, byteLength, "a block's checksum does not match");
    }
    position = bodyStart + byteLength;
    blocks++;
  }
}

function damaged(offset: number, length: number, message: string): DamageItem {
  return { kind: "damage", offset, length, message };
}
