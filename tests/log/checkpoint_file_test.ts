/** The file CHECKPOINT by itself: what is read is what was written, or is refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CHECKPOINT_BLOCK_BYTES_MAX,
  type CheckpointHeader,
  checkpointHeaderBytes,
  type CheckpointSegment,
} from "../../lib/format/checkpoint.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { CheckpointProblem, CheckpointReader } from "../../lib/log/checkpoint_reader.ts";
import { CheckpointWriter } from "../../lib/log/checkpoint_writer.ts";
import { RecordingFileSystem } from "../fs/recording_file_system.ts";
import { joined, withBitFlipped } from "../support/disk_image.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";

const NAME = "wal/CHECKPOINT";
const PAGE_WORDS = CHECKPOINT_BLOCK_BYTES_MAX / 4;

function segment(fileId: number): CheckpointSegment {
  return {
    fileId,
    coveredLength: 2 ** 31 - 1,
    chain: 0xdeadbeef,
    recordCount: 2 ** 32 - 1,
    controlBytes: 1,
    tombstoneBytes: 2,
    aliveBytes: 3,
    hintedLength: 4,
    lastLsn: 2 ** 48 - 1,
  };
}

const HEADER: CheckpointHeader = {
  nodeId: Uint8Array.from({ length: 16 }, (_, index) => 255 - index),
  segments: [segment(7), segment(2 ** 32 - 2)],
};

function counting(length: number, from = 0): Int32Array {
  return Int32Array.from({ length }, (_, index) => from + index * 2654435761);
}

/** Words in pieces around the length of a block, and two pages. */
const PIECES = [1, 3, PAGE_WORDS - 5, 2, PAGE_WORDS + 1, 7].map((length) => counting(length));
const PAGES = [counting(PAGE_WORDS, 1), counting(PAGE_WORDS, 2)];

async function write(fs = new MemoryFileSystem()): Promise<Uint8Array> {
  fs.makeDirectory("wal");
  const writer = new CheckpointWriter(fs, "wal", HEADER);
  for (const words of PIECES) writer.words(words);
  for (const page of PAGES) writer.page(page);
  await writer.finish();
  const file = fs.open(NAME, "read");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  return bytes;
}

/** Reads in the steps in which it was written. */
function read(reader: CheckpointReader): { pieces: Int32Array[]; pages: Int32Array[] } {
  const pieces = PIECES.map(({ length }) => new Int32Array(length));
  const pages = PAGES.map(() => new Int32Array(new SharedArrayBuffer(PAGE_WORDS * 4)));
  for (const words of pieces) reader.words(words);
  for (const page of pages) reader.page(page);
  reader.end();
  return { pieces, pages: pages.map((page) => Int32Array.from(page)) };
}

function assertRefused(bytes: Uint8Array, what: string): void {
  assert.throws(() => read(new CheckpointReader(memoryFile(bytes))), CheckpointProblem, what);
}

test("checkpoint file: what was written is read, also in short reads", async () => {
  const bytes = await write();
  const reader = new CheckpointReader(memoryFile(bytes));
  assert.deepEqual(reader.header, HEADER);
  assert.equal(reader.size, bytes.length);
  const written = { pieces: PIECES, pages: PAGES };
  assert.deepEqual(read(reader), written);
  assert.deepEqual(
    read(new CheckpointReader(shortened(memoryFile(bytes), (wanted) => Math.ceil(wanted / 3)))),
    written,
  );
});

test("checkpoint file: cut, or with more behind it, it is refused", async () => {
  const bytes = await write();
  const lengths = [...Array(200).keys(), bytes.length - 9, bytes.length - 8, bytes.length - 1];
  for (const length of lengths) assertRefused(bytes.subarray(0, length), `cut at ${length}`);
  assertRefused(joined(bytes, new Uint8Array(1)), "longer");
  assertRefused(joined(bytes, bytes.subarray(-8)), "with two ends");
});

test("checkpoint file: with a bit flipped, it is refused", async () => {
  const bytes = await write();
  const headerBits = checkpointHeaderBytes(2) * 8 + 200;
  for (let bit = 0; bit < headerBits; bit++) {
    assertRefused(withBitFlipped(bytes, bit), `bit ${bit}`);
  }
  for (let bit = headerBits; bit < bytes.length * 8; bit += 40_009) {
    assertRefused(withBitFlipped(bytes, bit), `bit ${bit}`);
  }
});

test("checkpoint file: blocks lost or doubled are missed", async () => {
  const bytes = await write();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  for (let at = checkpointHeaderBytes(2); at < bytes.length;) {
    starts.push(at);
    at += 8 + view.getUint32(at, true);
  }
  assert.ok(starts.length > 4);
  for (const [index, start] of starts.slice(0, -1).entries()) {
    const next = starts[index + 1]!;
    assertRefused(joined(bytes.subarray(0, start), bytes.subarray(next)), `without ${index}`);
    assertRefused(joined(bytes.subarray(0, next), bytes.subarray(start)), `twice ${index}`);
  }
  // The end counts the blocks, which nothing else does.
  const counted = bytes.slice();
  counted[bytes.length - 1]! ^= 1;
  assertRefused(counted, "counted otherwise");
});

test("checkpoint file: hostile lengths are refused before there is a buffer for them", async () => {
  const bytes = await write();
  const count = bytes.slice();
  new DataView(count.buffer).setUint32(28, 0xffff_ffff, true);
  assertRefused(count, "segments");
  const block = bytes.slice();
  new DataView(block.buffer).setUint32(checkpointHeaderBytes(2), 0xffff_ffff, true);
  assertRefused(block, "block");
});

test("checkpoint file: it has its name only when it is complete and durable", async () => {
  const fs = new RecordingFileSystem(new MemoryFileSystem());
  fs.makeDirectory("wal");
  const writer = new CheckpointWriter(fs, "wal", HEADER);
  for (const page of PAGES) writer.page(page);
  assert.equal(fs.stat(NAME), undefined);
  await writer.finish();
  const order = fs.calls.filter((call) => /^(sync|rename|syncDirectory) /.test(call));
  assert.deepEqual(order, [
    "sync CHECKPOINT.tmp",
    "rename CHECKPOINT.tmp CHECKPOINT",
    "syncDirectory wal",
  ]);
});

test("checkpoint file: given up, it leaves nothing; a leftover is no hindrance", () => {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("wal");
  fs.open(`${NAME}.tmp`, "create").close();
  const writer = new CheckpointWriter(fs, "wal", HEADER);
  writer.page(PAGES[0]!);
  writer.abort();
  assert.deepEqual(fs.readDirectory("wal"), []);
});
