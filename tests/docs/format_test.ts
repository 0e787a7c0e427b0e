/** Holds every table of docs/format.md against the constants and codecs of lib/format/. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as active from "../../lib/format/active.ts";
import * as checkpoint from "../../lib/format/checkpoint.ts";
import * as control from "../../lib/format/control_record.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import * as filename from "../../lib/format/filename.ts";
import * as hint from "../../lib/format/hint.ts";
import { formatNodeId } from "../../lib/format/node_id.ts";
import * as record from "../../lib/format/record.ts";
import { PAGE_BYTES } from "../../lib/index/page_pool.ts";
import * as limits from "../../lib/limits.ts";
import { codeBlocks, proseUnder, readText, type Row, sectionOf, tableUnder } from "./markdown.ts";

const FORMAT = readText("docs/format.md");

/** The fields of a structure with a known offset, and that each begins where the one before ends. */
function offsetsUnder(heading: string): Record<string, number> {
  const rows = tableUnder(FORMAT, heading).filter(({ offset }) => /^\d+$/.test(offset!));
  rows.forEach((row, index) => {
    const next = rows[index + 1];
    if (next === undefined || row["size"] === "*") return;
    assert.equal(
      Number(row["offset"]) + Number(row["size"]),
      Number(next["offset"]),
      `${heading}: ${row["field"]} ends where ${next["field"]} begins`,
    );
  });
  return Object.fromEntries(rows.map(({ offset, field }) => [field, Number(offset)]));
}

/** Length of a structure whose last row of the table has a known place and size. */
function lengthUnder(heading: string): number {
  const last = tableUnder(FORMAT, heading).at(-1)!;
  return Number(last["offset"]) + Number(last["size"]);
}

function rowOf(heading: string, field: string): Row {
  const row = tableUnder(FORMAT, heading).find((each) => each["field"] === field);
  assert(row !== undefined, `${heading} has the field ${field}`);
  return row;
}

/** The number and the bytes that a table gives for a magic number. */
function assertMagic(heading: string, field: string, magic: number): void {
  const [, hex, bytes] = /^0x([0-9a-f]{8}): the bytes ((?:[0-9A-F]{2} ?){4})$/
    .exec(rowOf(heading, field)["meaning"]!) ?? assert.fail(`${heading} shows its magic number`);
  assert.equal(Number.parseInt(hex!, 16), magic);
  const stored = Buffer.alloc(4);
  stored.writeUInt32LE(magic);
  assert.equal(stored.toString("hex"), bytes!.replaceAll(" ", "").toLowerCase());
}

test("format.md: the record frame", () => {
  assert.deepEqual(offsetsUnder("Record frame"), {
    MAGIC: record.MAGIC_OFFSET,
    VERSION: record.VERSION_OFFSET,
    OP: record.OP_OFFSET,
    LSN: record.LSN_OFFSET,
    key_len: record.KEY_LENGTH_OFFSET,
    val_len: record.VALUE_LENGTH_OFFSET,
    key: record.FRAME_HEADER_BYTES,
  });
  assertMagic("Record frame", "MAGIC", record.FRAME_MAGIC);
  assert.equal(rowOf("Record frame", "VERSION")["meaning"], String(record.FORMAT_VERSION));
  assert.equal(Number(rowOf("Record frame", "CRC32")["size"]), record.FRAME_TRAILER_BYTES);
  assert.match(
    proseUnder(FORMAT, "Record frame"),
    new RegExp(`has ${record.FRAME_OVERHEAD_BYTES} \\+ k \\+ v bytes`),
  );
});

test("format.md: the operations, their codes and lengths", () => {
  const codes = new Map([
    ["SET", record.OP_SET],
    ["DELETE", record.OP_DELETE],
    ["SET_EXPIRING", record.OP_SET_EXPIRING],
    ["BATCH", record.OP_BATCH],
    ["SYNC", record.OP_SYNC],
    ["SEGMENT", record.OP_SEGMENT],
  ]);
  const rows = tableUnder(FORMAT, "Operations");
  assert.deepEqual(new Map(rows.map(({ OP, name }) => [name, Number(OP)])), codes);
  assert.equal(Math.max(...codes.values()), record.OP_MAX);
  for (const row of rows) {
    const op = Number(row["OP"]);
    const [keyLeast, keyMost] = rangeOf(row["key_len"]!);
    const [valueLeast, valueMost] = rangeOf(row["val_len"]!);
    assert.equal(record.isDataOp(op), keyLeast > 0, row["name"]);
    assert.equal(headerFits(op, keyLeast, valueLeast), true, row["name"]);
    assert.equal(headerFits(op, keyMost, valueMost), true, row["name"]);
    assert.equal(headerFits(op, keyLeast - 1, valueLeast), false, row["name"]);
    assert.equal(headerFits(op, keyMost + 1, valueLeast), false, row["name"]);
    assert.equal(headerFits(op, keyLeast, valueLeast - 1), false, row["name"]);
    assert.equal(headerFits(op, keyLeast, valueMost + 1), false, row["name"]);
  }
  assert.equal(headerFits(record.OP_MAX + 1, 0, 0), false);
});

/** `8 to 2^30 + 8` as its two ends; a single number as both. */
function rangeOf(text: string): [number, number] {
  const [least, most] = text.split(" to ").map((end) =>
    end.replaceAll(",", "").split(" + ").reduce((sum, term) => {
      const [base, exponent = "1"] = term.split("^");
      return sum + Number(base) ** Number(exponent);
    }, 0)
  );
  return [least!, most ?? least!];
}

function headerFits(op: number, keyLength: number, valueLength: number): boolean {
  if (keyLength < 0 || valueLength < 0) return false;
  const { view } = record.allocateBuffer(record.FRAME_HEADER_BYTES);
  record.writeFrameHeader(view, 0, op, 1, keyLength, valueLength);
  const status = record.decodeFrameHeader(view, 0, Infinity, new record.FrameHeader());
  return status === record.FRAME_OK;
}

test("format.md: the values of control records and of expiring ones", () => {
  const { value: _, ...expiring } = offsetsUnder("SET_EXPIRING value");
  assert.deepEqual(expiring, { expires_at: 0 });
  assert.equal(Number(rowOf("SET_EXPIRING value", "value")["offset"]), record.EXPIRES_AT_BYTES);

  assert.deepEqual(offsetsUnder("BATCH value"), { ...control.BATCH_FIELDS });
  assert.equal(lengthUnder("BATCH value"), record.BATCH_VALUE_BYTES);
  assert.deepEqual(offsetsUnder("SYNC value"), { ...control.SYNC_FIELDS });
  assert.equal(lengthUnder("SYNC value"), record.SYNC_VALUE_BYTES);
  assert.deepEqual(offsetsUnder("SEGMENT value"), { ...control.SEGMENT_FIELDS });
  assert.equal(lengthUnder("SEGMENT value"), record.SEGMENT_VALUE_BYTES);
  assert.equal(Number(rowOf("SEGMENT value", "nodeId")["size"]), control.NODE_ID_BYTES);
  assert.equal(control.SEGMENT_FLAG_COMPACTED, 1, "bit 0");
  assert.match(
    proseUnder(FORMAT, "SEGMENT value"),
    new RegExp(`It has ${control.SEGMENT_FRAME_BYTES} bytes`),
  );
});

test("format.md: checkpoints", () => {
  assert.deepEqual(offsetsUnder("Checkpoint header"), { ...checkpoint.CHECKPOINT_FIELDS });
  assertMagic("Checkpoint header", "magic", checkpoint.CHECKPOINT_MAGIC);
  assert.equal(rowOf("Checkpoint header", "version")["meaning"], String(record.FORMAT_VERSION));
  assert.deepEqual(offsetsUnder("Checkpoint segment"), {
    ...checkpoint.CHECKPOINT_SEGMENT_FIELDS,
  });
  assert.equal(lengthUnder("Checkpoint segment"), checkpoint.CHECKPOINT_SEGMENT_BYTES);
  const bytes = checkpoint.CHECKPOINT_SEGMENT_BYTES;
  assert.match(rowOf("Checkpoint header", "segments")["meaning"]!, new RegExp(`${bytes} bytes`));
  assert.equal(
    rowOf("Checkpoint header", "crc")["offset"],
    `${checkpoint.CHECKPOINT_FIELDS.segments} + ${bytes} × count`,
  );
  assert.deepEqual(offsetsUnder("Checkpoint block"), {
    byteLength: 0,
    crc: 4,
    words: checkpoint.CHECKPOINT_BLOCK_HEADER_BYTES,
  });
  assert.equal(lengthUnder("Checkpoint end"), checkpoint.CHECKPOINT_BLOCK_HEADER_BYTES);
  assert.equal(checkpoint.CHECKPOINT_BLOCK_BYTES_MAX, 128 * 1024);
  assert.equal(checkpoint.CHECKPOINT_BLOCK_BYTES_MAX, PAGE_BYTES, "a page fills a block");
});

test("format.md: hint files", () => {
  assert.deepEqual(offsetsUnder("Hint header"), { ...hint.HINT_FIELDS });
  assert.equal(lengthUnder("Hint header"), hint.HINT_HEADER_BYTES);
  assertMagic("Hint header", "magic", hint.HINT_MAGIC);
  assert.equal(rowOf("Hint header", "version")["meaning"], String(record.FORMAT_VERSION));

  assert.deepEqual(offsetsUnder("Hint block"), {
    byteLength: 0,
    crc: 4,
    entries: hint.HINT_BLOCK_HEADER_BYTES,
  });
  assert.equal(lengthUnder("Hint end"), hint.HINT_BLOCK_HEADER_BYTES);
  assert.match(
    proseUnder(FORMAT, "Hint block"),
    new RegExp(`brings it to ${hint.HINT_BLOCK_BYTES_MAX / 1024} KiB`),
  );

  const { "expiresAt, key": rest, ...entry } = offsetsUnder("Hint entry");
  assert.deepEqual(entry, { ...hint.HINT_ENTRY_FIELDS });
  assert.equal(rest, hint.HINT_ENTRY_BYTES);
});

test("format.md: ACTIVE and NODE_ID", () => {
  assert.deepEqual(offsetsUnder("ACTIVE"), { ...active.ACTIVE_FIELDS });
  assertMagic("ACTIVE", "magic", active.ACTIVE_MAGIC);
  assert.equal(rowOf("ACTIVE", "version")["meaning"], String(record.FORMAT_VERSION));
  assert.equal(Number(rowOf("ACTIVE", "nodeId")["size"]), control.NODE_ID_BYTES);
  assert.match(
    rowOf("ACTIVE", "count")["meaning"]!,
    new RegExp(`at most ${active.SEGMENTS_LIMIT.toLocaleString("en")}$`),
  );
  const state = { nodeId: new Uint8Array(16), droppedLsn: 0, nextFileId: 4, segments: [] };
  const encoded = active.encodeActive(state);
  assert.equal(encoded.length, active.ACTIVE_FIELDS.segments + 4);
  assert.deepEqual(offsetsUnder("ACTIVE segment"), { ...active.ACTIVE_SEGMENT_FIELDS });
  assert.equal(lengthUnder("ACTIVE segment"), active.ACTIVE_SEGMENT_BYTES);
  assert.match(
    rowOf("ACTIVE", "segments")["meaning"]!,
    new RegExp(`${active.ACTIVE_SEGMENT_BYTES} bytes each`),
  );

  const text = `${formatNodeId(new Uint8Array(16))}\n`;
  assert.match(proseUnder(FORMAT, "NODE_ID"), new RegExp(`a line feed: ${text.length} bytes`));
});

test("format.md: file names", () => {
  const names = tableUnder(FORMAT, "Files").map((row) => row["name"]);
  const { LOCK_NAME, WAL_NAME, ACTIVE_NAME, NODE_ID_NAME, TEMPORARY_SUFFIX } = filename;
  assert.deepEqual(names, [
    LOCK_NAME,
    `${WAL_NAME}/`,
    `${WAL_NAME}/${ACTIVE_NAME}`,
    `${WAL_NAME}/${NODE_ID_NAME}`,
    `${WAL_NAME}/${filename.segmentName(1).replace("0000000001", "<id>")}`,
    `${WAL_NAME}/${filename.hintName(1).replace("0000000001", "<id>")}`,
    `${WAL_NAME}/${filename.CHECKPOINT_NAME}`,
    `*${TEMPORARY_SUFFIX}`,
  ]);
});

test("format.md: limits", () => {
  const constants: Record<string, number> = { ...limits, SEGMENTS_LIMIT: active.SEGMENTS_LIMIT };
  for (const { what, limit, constant } of tableUnder(FORMAT, "Limits")) {
    const number = Number(/^[\d,]+/.exec(limit!)?.[0].replaceAll(",", ""));
    assert.equal(number, constants[constant!], what);
  }
});

test("format.md: checksum and chain", () => {
  const section = proseUnder(FORMAT, "Checksum");
  const digits = new TextEncoder().encode("123456789");
  assert.match(section, new RegExp(`give 0x${crc32(digits, 0, 9).toString(16)}\\.`));

  const chain = proseUnder(FORMAT, "Chain");
  assert.match(chain, new RegExp(`begins as 0x${control.CHAIN_START.toString(16)},`));
  const prime = BigInt(/XOR crc\) × (0x[0-9a-f]+)\)/.exec(chain)?.[1] ?? 0);
  let expected = BigInt(control.CHAIN_START);
  let chained = control.CHAIN_START;
  for (const crc of [0, 1, 0x80000000, 0xffffffff, 0xcbf43926]) {
    expected = (expected ^ BigInt(crc)) * prime % 2n ** 32n;
    chained = control.extendChain(chained, crc);
    assert.equal(BigInt(chained), expected);
  }
});

test("format.md: the example frames are what is written", () => {
  const shown = codeBlocks(sectionOf(FORMAT, "Example")).map(({ code }) =>
    code.trim().split(/\s+/).join(" ")
  );
  assert.deepEqual(shown, [
    hexOfFrame(record.OP_SET, 7, "cairn", "stone"),
    hexOfFrame(record.OP_DELETE, 8, "cairn", ""),
  ]);
});

function hexOfFrame(op: number, lsn: number, key: string, value: string): string {
  const frameLength = record.frameLengthOf(key.length, value.length);
  const buffer = record.allocateBuffer(frameLength);
  record.writeFrameHeader(buffer.view, 0, op, lsn, key.length, value.length);
  buffer.bytes.set(new TextEncoder().encode(key + value), record.FRAME_HEADER_BYTES);
  record.finishFrame(buffer, 0, frameLength);
  return Array.from(buffer.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

test("format.md: no other frame can be taken for one, and zeros least of all", () => {
  const zeros = record.allocateBuffer(64);
  const status = record.decodeFrame(zeros, 0, 64, new record.FrameHeader());
  assert.equal(status, record.FRAME_BAD_MAGIC);
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(record.FRAME_MAGIC);
  assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(magic.subarray(0, 2)));
});
