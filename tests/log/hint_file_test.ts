import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HINT_BLOCK_BYTES_MAX,
  HINT_ENTRY_BYTES,
  HINT_HEADER_BYTES,
  type HintHeader,
} from "../../lib/format/hint.ts";
import {
  EXPIRES_AT_BYTES,
  frameLengthOf,
  OP_DELETE,
  OP_SET,
  OP_SET_EXPIRING,
} from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { HintReader } from "../../lib/log/hint_reader.ts";
import { HintWriter } from "../../lib/log/hint_writer.ts";
import { EXPIRES_AT_LIMIT } from "../../lib/limits.ts";
import { RecordingFileSystem } from "../fs/recording_file_system.ts";
import { joined, withBitFlipped } from "../support/disk_image.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";

const NAME = "wal/0000000007.hint";
const HEADER: HintHeader = {
  fileId: 7,
  coveredLength: 2 ** 31 - 1,
  recordCount: 5,
  chain: 0xdeadbeef,
  controlBytes: 106,
  lastLsn: 2 ** 48 - 1,
};

interface Entry {
  op: number;
  lsn: number;
  offset: number;
  frameLength: number;
  crc: number;
  expiresAt: number;
  key: string;
}

function entry(key: string, changes: Partial<Entry> = {}): Entry {
  const valueLength = changes.op === OP_SET_EXPIRING ? EXPIRES_AT_BYTES : 0;
  const frameLength = frameLengthOf(key.length, valueLength);
  return { op: OP_SET, lsn: 1, offset: 59, frameLength, crc: 1, expiresAt: 0, key, ...changes };
}

const ENTRIES = [
  entry("a"),
  entry("b", { op: OP_SET_EXPIRING, expiresAt: 8_640_000_000_000_000, lsn: 2 ** 40 + 3 }),
  entry("c", { op: OP_DELETE, crc: 0xffffffff, offset: 2 ** 31 - 100 }),
  entry("k".repeat(65_536), { lsn: 2 ** 48 - 1 }),
];

function write(fs: MemoryFileSystem, entries: readonly Entry[]): HintWriter {
  if (fs.stat("wal") === undefined) fs.makeDirectory("wal");
  const writer = new HintWriter(fs, "wal", 7);
  for (const { op, lsn, offset, frameLength, crc, expiresAt, key } of entries) {
    const bytes = new TextEncoder().encode(`--${key}`);
    writer.add(op, lsn, offset, frameLength, crc, expiresAt, bytes, 2, bytes.length - 2);
  }
  return writer;
}

async function bytesOfHint(entries: readonly Entry[]): Promise<Uint8Array> {
  const fs = new MemoryFileSystem();
  await write(fs, entries).finish(HEADER);
  const file = fs.open(NAME, "read");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  return bytes;
}

function readEntries(hint: HintReader): Entry[] {
  const entries: Entry[] = [];
  while (hint.next()) {
    const { op, lsn, offset, frameLength, crc, expiresAt, keyStart, keyLength } = hint;
    const key = new TextDecoder().decode(
      hint.buffer.bytes.subarray(keyStart, keyStart + keyLength),
    );
    entries.push({ op, lsn, offset, frameLength, crc, expiresAt, key });
  }
  return entries;
}

test("what was written is read", async () => {
  for (const entries of [[], ENTRIES.slice(0, 1), ENTRIES]) {
    const hint = new HintReader(memoryFile(await bytesOfHint(entries)));
    assert.deepEqual(hint.header, HEADER);
    assert.deepEqual(readEntries(hint), entries);
    assert.equal(hint.problem, undefined);
    assert.equal(hint.next(), false, "the end stays the end");
  }
});

test("many entries take several blocks, and short reads are no end", async () => {
  const entries = Array.from(
    { length: 3 * HINT_BLOCK_BYTES_MAX / (HINT_ENTRY_BYTES + 9) | 0 },
    (_, index) => entry(`key ${String(index).padStart(5, "0")}`, { lsn: index + 1 }),
  );
  const bytes = await bytesOfHint(entries);
  assert(bytes.length > 2.9 * HINT_BLOCK_BYTES_MAX);
  const hint = new HintReader(shortened(memoryFile(bytes), (wanted) => Math.min(wanted, 1000)));
  assert.deepEqual(readEntries(hint), entries);
  assert.equal(hint.problem, undefined);
});

test("cut at any byte, it says that something is wrong", async () => {
  const bytes = await bytesOfHint(ENTRIES.slice(0, 3));
  for (let length = 0; length < bytes.length; length++) {
    const hint = new HintReader(memoryFile(bytes.subarray(0, length)));
    const entries = readEntries(hint);
    assert.notEqual(hint.problem, undefined, `cut at ${length}`);
    assert.deepEqual(entries, ENTRIES.slice(0, entries.length));
    assert.equal(hint.header !== undefined, length >= HINT_HEADER_BYTES);
  }
});

test("with any bit flipped, it says that something is wrong", async () => {
  const bytes = await bytesOfHint(ENTRIES.slice(0, 3));
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const hint = new HintReader(memoryFile(withBitFlipped(bytes, bit)));
    const entries = readEntries(hint);
    assert.notEqual(hint.problem, undefined, `bit ${bit}`);
    assert.deepEqual(entries, ENTRIES.slice(0, entries.length), "nothing wrong was handed out");
  }
});

test("hostile block lengths are refused before there is a buffer for them", async () => {
  const bytes = await bytesOfHint(ENTRIES.slice(0, 3));
  for (const length of [1, 2, bytes.length, 2 ** 20, 2 ** 31, 2 ** 32 - 1]) {
    const hostile = bytes.slice();
    new DataView(hostile.buffer).setUint32(HINT_HEADER_BYTES, length, true);
    const hint = new HintReader(memoryFile(hostile));
    const { buffer } = hint;
    assert.deepEqual(readEntries(hint), []);
    assert.notEqual(hint.problem, undefined);
    assert.equal(hint.buffer, buffer);
    assert(buffer.bytes.length <= hostile.length + HINT_HEADER_BYTES);
  }
});

test("an entry that expires at an impossible time is refused", async () => {
  for (const expiresAt of [0, EXPIRES_AT_LIMIT + 1]) {
    const bytes = await bytesOfHint([entry("a", { op: OP_SET_EXPIRING, expiresAt })]);
    const hint = new HintReader(memoryFile(bytes));
    assert.deepEqual(readEntries(hint), []);
    assert.match(hint.problem ?? "no problem", /impossible/);
  }
});

test("blocks lost or doubled are missed", async () => {
  const bytes = await bytesOfHint(ENTRIES.slice(0, 3));
  const view = new DataView(bytes.buffer);
  const end = HINT_HEADER_BYTES + 8 + view.getUint32(HINT_HEADER_BYTES, true);
  const block = bytes.subarray(HINT_HEADER_BYTES, end);
  const header = bytes.subarray(0, HINT_HEADER_BYTES);
  const tail = bytes.subarray(end);
  for (const changed of [joined(header, tail), joined(header, block, block, tail)]) {
    const hint = new HintReader(memoryFile(changed));
    readEntries(hint);
    assert.equal(hint.problem, "entries are missing");
  }
});

test("the file has its name only when it is complete and durable", async () => {
  const base = new MemoryFileSystem();
  base.makeDirectory("wal");
  const fs = new RecordingFileSystem(base);
  const writer = new HintWriter(fs, "wal", 7);
  assert.equal(base.stat(NAME), undefined);
  await writer.finish(HEADER);
  const order = fs.calls.filter((call) => /^(sync|rename|syncDirectory) /.test(call));
  assert.deepEqual(order, [
    "sync 0000000007.hint.tmp",
    "rename 0000000007.hint.tmp 0000000007.hint",
    "syncDirectory wal",
  ]);
  assert.deepEqual(base.readDirectory("wal"), ["0000000007.hint"]);
});

test("given up, it leaves nothing; and a leftover of an earlier one is no hindrance", () => {
  const fs = new MemoryFileSystem();
  write(fs, ENTRIES).abort();
  assert.deepEqual(fs.readDirectory("wal"), []);
  fs.open(`${NAME}.tmp`, "create").close();
  write(fs, ENTRIES).abort();
  assert.deepEqual(fs.readDirectory("wal"), []);
});
