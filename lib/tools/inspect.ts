/**
 * Says what a file of a store holds, item by item, without judging it: `verify` does that. It reads
 * one file by itself, damaged or not, also one that is being appended to, as of this moment.
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { ACTIVE_BYTES_LIMIT, ACTIVE_MAGIC, decodeActive } from "../format/active.ts";
import { CHECKPOINT_MAGIC } from "../format/checkpoint.ts";
import {
  ACTIVE_NAME,
  CHECKPOINT_NAME,
  LOCK_NAME,
  NODE_ID_NAME,
  parseSegmentName,
} from "../format/filename.ts";
import { HINT_MAGIC } from "../format/hint.ts";
import { formatNodeId, parseNodeId } from "../format/node_id.ts";
import { allocateBuffer, FRAME_MAGIC } from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";
import { inspectCheckpoint } from "./inspect_checkpoint.ts";
import { inspectHint } from "./inspect_hint.ts";
import type { DamageItem, FieldsItem, InspectedFile, InspectItem } from "./inspect_item.ts";
import { inspectSegment } from "./inspect_segment.ts";
import { TolerantFile } from "./tolerant_file.ts";

export type * from "./inspect_item.ts";

/** Options of {@link inspectFile}. */
export interface InspectOptions {
  /** Give the values of records, too. */
  values?: boolean;
}

const SMALL_BYTES_MAX = 256;
const LOCK_PATTERN = /^process (\d+)\n?$/;

/**
 * Yields what the file `path` is, by its content, and then all that it holds. Damage is an item like
 * others. Throws `Io` if the file cannot be opened.
 */
export async function* inspectFile(
  fs: FileSystem,
  path: string,
  clock: Clock,
  options: InspectOptions = {},
): AsyncGenerator<InspectItem> {
  const file = TolerantFile.open(fs, path);
  try {
    const size = file.size();
    const type = recognise(file, size, path);
    yield { kind: "file", path, type, size };
    switch (type) {
      case "segment":
        return yield* inspectSegment(file, size, options.values === true, clock);
      case "hint":
        return yield* inspectHint(file, size);
      case "checkpoint":
        return yield* inspectCheckpoint(file, size);
      case "active":
        return yield* inspectActive(file, size);
      case "nodeId":
        return yield inspectText(file, size, (text) => {
          const nodeId = parseNodeId(text);
          return nodeId === undefined ? undefined : { nodeId: formatNodeId(nodeId) };
        });
      case "lock":
        return yield inspectText(file, size, (text) => {
          const process = LOCK_PATTERN.exec(text)?.[1];
          return process === undefined && text !== "" ? undefined : { lastHolder: process ?? null };
        });
      default:
        return yield { kind: "damage", offset: 0, length: size, message: "no file of Cairn's" };
    }
  } finally {
    file.close();
  }
}

/** What a file is: by its content, or if the beginning of that is damaged, by its name. */
function recognise(file: File, size: number, path: string): InspectedFile {
  const { bytes, view } = allocateBuffer(SMALL_BYTES_MAX);
  const count = readFully(file, bytes, 0, Math.min(size, SMALL_BYTES_MAX), 0);
  if (count >= 4) {
    const magic = view.getUint32(0, true);
    if (magic === FRAME_MAGIC) return "segment";
    if (magic === HINT_MAGIC) return "hint";
    if (magic === ACTIVE_MAGIC) return "active";
    if (magic === CHECKPOINT_MAGIC) return "checkpoint";
  }
  const text = new TextDecoder().decode(bytes.subarray(0, count));
  if (size < SMALL_BYTES_MAX && parseNodeId(text) !== undefined) return "nodeId";
  if (size < SMALL_BYTES_MAX && LOCK_PATTERN.test(text)) return "lock";
  const name = path.replace(/^.*[/\\]/s, "").replace(/\.tmp$/, "");
  const kind = parseSegmentName(name)?.kind;
  if (kind !== undefined) return kind === "log" ? "segment" : "hint";
  if (name === ACTIVE_NAME) return "active";
  if (name === CHECKPOINT_NAME) return "checkpoint";
  if (name === NODE_ID_NAME) return "nodeId";
  return name === LOCK_NAME ? "lock" : "unknown";
}

function* inspectActive(file: File, size: number): Generator<FieldsItem | DamageItem> {
  const bytes = new Uint8Array(Math.min(size, ACTIVE_BYTES_LIMIT));
  const count = readFully(file, bytes, 0, bytes.length, 0);
  const decoded = decodeActive(bytes.subarray(0, count));
  if ("message" in decoded) {
    yield { kind: "damage", offset: 0, length: size, message: decoded.message };
    return;
  }
  const { nodeId, droppedLsn, nextFileId, segments } = decoded;
  const fields = { nodeId: formatNodeId(nodeId), droppedLsn, nextFileId };
  yield { kind: "fields", offset: 0, fields: { ...fields, segments: segments.length } };
  for (const [position, { fileId, length, chain }] of segments.entries()) {
    const closed = position < segments.length - 1;
    yield { kind: "fields", offset: 0, fields: { fileId, closed, length, chain } };
  }
}

function inspectText(
  file: File,
  size: number,
  parse: (text: string) => FieldsItem["fields"] | undefined,
): FieldsItem | DamageItem {
  const damage: DamageItem = {
    kind: "damage",
    offset: 0,
    length: size,
    message: "not what belongs into such a file",
  };
  if (size > SMALL_BYTES_MAX) return damage;
  try {
    const bytes = new Uint8Array(size);
    const count = readFully(file, bytes, 0, size, 0);
    const fields = parse(new TextDecoder().decode(bytes.subarray(0, count)));
    return fields === undefined ? damage : { kind: "fields", offset: 0, fields };
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    return { ...damage, message: error.message };
  }
}
