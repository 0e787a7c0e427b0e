/** A log beyond 4 GiB, with records at the very end of segments as long as they can be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { encodeActive } from "../../lib/format/active.ts";
import {
  CHAIN_START,
  encodeSegmentHeader,
  encodeSyncMark,
  extendChain,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../../lib/format/control_record.ts";
import { segmentName } from "../../lib/format/filename.ts";
import { allocateBuffer, OP_SET } from "../../lib/format/record.ts";
import type { File, FileSystem, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { SEGMENT_BYTES_LIMIT } from "../../lib/limits.ts";
import { HintWriter } from "../../lib/log/hint_writer.ts";
import { KvStore } from "../../lib/store/store.ts";
import { makeFrame } from "../support/frames.ts";
import { NODE_ID } from "../support/segment_builder.ts";
import { openInMemory, PATH, scanAll, text } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;
const DIRECTORY = `${PATH}/wal`;
const CLOSED = 3;
const RECORDS = 3;

/** Bytes at a place in a file that is otherwise a hole. */
interface Extent {
  offset: number;
  bytes: Uint8Array;
}

/** Files in memory, some of them too long for it: they hold a few extents, and zeros between them. */
class SparseFileSystem extends MemoryFileSystem {
  readonly #sparse = new Map<string, { size: number; extents: Extent[] }>();

  addSparse(name: string, size: number, extents: Extent[]): void {
    super.open(`${DIRECTORY}/${name}`, "create").close();
    this.#sparse.set(`${DIRECTORY}/${name}`, { size, extents });
  }

  override open(path: string, mode: OpenMode): File {
    const file = super.open(path, mode);
    const sparse = this.#sparse.get(path);
    if (sparse === undefined) return file;
    assert.equal(mode, "read", "closed segments are only read");
    const read: File["read"] = (buffer, offset, length, position) => {
      const count = Math.max(0, Math.min(length, sparse.size - position));
      buffer.fill(0, offset, offset + count);
      for (const { offset: start, bytes } of sparse.extents) {
        const from = Math.max(start, position);
        const to = Math.min(start + bytes.length, position + count);
        if (from < to) {
          buffer.set(bytes.subarray(from - start, to - start), offset + from - position);
        }
      }
      return count;
    };
    return {
      ...file,
      path,
      read,
      readAsync: (...range) => Promise.resolve(read(...range)),
      size: () => sparse.size,
      close: () => file.close(),
    };
  }
}

/** A closed segment of the greatest length, with its records and its mark at the very end. */
async function addSegment(fs: SparseFileSystem, fileId: number) {
  const firstLsn = 1 + RECORDS * (fileId - 1);
  const header = allocateBuffer(SEGMENT_FRAME_BYTES);
  const headerCrc = encodeSegmentHeader(header, 0, {
    fileId,
    compacted: false,
    createdAt: 0,
    nodeId: NODE_ID,
    firstLsn,
  });
  const frames = Array.from({ length: RECORDS }, (_, index) => {
    const key = `segment ${fileId}, record ${index}`;
    return {
      key,
      lsn: firstLsn + index,
      bytes: makeFrame(OP_SET, firstLsn + index, key, valueOf(key)),
    };
  });
  const length = SEGMENT_BYTES_LIMIT;
  const markAt = length - SYNC_FRAME_BYTES;
  let offset = markAt - frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const extents: Extent[] = [{ offset: 0, bytes: header.bytes }];
  const hint = new HintWriter(fs, DIRECTORY, fileId);
  let chain = extendChain(CHAIN_START, headerCrc);
  for (const { key, lsn, bytes } of frames) {
    const crc = new DataView(bytes.buffer).getUint32(bytes.length - 4, true);
    const keyBytes = new TextEncoder().encode(key);
    hint.add(OP_SET, lsn, offset, bytes.length, crc, 0, keyBytes, 0, keyBytes.length);
    extents.push({ offset, bytes });
    chain = extendChain(chain, crc);
    offset += bytes.length;
  }
  const mark = allocateBuffer(SYNC_FRAME_BYTES);
  const lastLsn = firstLsn + RECORDS - 1;
  const fields = { durableOffset: markAt, ownOffset: markAt, fileId, recordCount: RECORDS, chain };
  const markCrc = encodeSyncMark(mark, 0, { ...fields, durableLsn: lastLsn });
  extents.push({ offset: markAt, bytes: mark.bytes });
  const controlBytes = length - frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await hint.finish({
    fileId,
    coveredLength: length,
    recordCount: RECORDS,
    chain,
    controlBytes,
    lastLsn,
  });
  fs.addSparse(segmentName(fileId), length, extents);
  return { fileId, length, chain: extendChain(chain, markCrc) };
}

function valueOf(key: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`the value of ${key}`);
}

/** Six GiB of closed segments, and an empty one to append to. */
async function hugeLog(): Promise<SparseFileSystem> {
  const fs = new SparseFileSystem();
  fs.makeDirectory(DIRECTORY);
  const segments = [];
  for (let fileId = 1; fileId <= CLOSED; fileId++) segments.push(await addSegment(fs, fileId));
  const fileId = CLOSED + 1;
  const buffer = allocateBuffer(SEGMENT_FRAME_BYTES);
  encodeSegmentHeader(buffer, 0, {
    fileId,
    compacted: false,
    createdAt: 0,
    nodeId: NODE_ID,
    firstLsn: 1 + RECORDS * CLOSED,
  });
  segments.push({ fileId, length: SEGMENT_FRAME_BYTES, chain: 0 });
  const active = encodeActive({ nodeId: NODE_ID, droppedLsn: 0, nextFileId: fileId + 1, segments });
  write(fs, segmentName(fileId), buffer.bytes);
  write(fs, "ACTIVE", active);
  return fs;
}

function write(fs: FileSystem, name: string, bytes: Uint8Array): void {
  const file = fs.open(`${DIRECTORY}/${name}`, "create");
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

test("a log of more than 4 GiB reads exactly, at the last byte of its segments too", {
  timeout: TIMEOUT_MS,
}, async () => {
  const fs = await hugeLog();
  const expected = new Map<string, string>();
  for (let fileId = 1; fileId <= CLOSED; fileId++) {
    for (let index = 0; index < RECORDS; index++) {
      const key = `segment ${fileId}, record ${index}`;
      expected.set(key, text(valueOf(key))!);
    }
  }
  for (const readOnly of [true, false]) {
    const store = await openInMemory({ readOnly }, fs);
    for (const [key, value] of expected) {
      assert.equal(text(store.getSync(key)), value);
      assert.equal(text(await store.get(key)), value);
    }
    const scanned = await scanAll(store);
    assert.deepEqual(scanned.map(({ key, value }) => [key, text(value)]), [...expected]);
    const { totalBytes, aliveBytes, deadBytes } = store.stats();
    assert(totalBytes > 2 ** 32 && totalBytes >= CLOSED * SEGMENT_BYTES_LIMIT);
    assert.equal(aliveBytes + deadBytes, totalBytes);
    if (!readOnly) {
      await store.set("segment 1, record 0", "overwritten");
      await store.set("new", "1");
      expected.set("segment 1, record 0", "overwritten").set("new", "1");
      assert.equal(text(await store.get("segment 1, record 0")), "overwritten");
      assert.equal(store.stats().version, RECORDS * CLOSED + 2);
    }
    await store.close();
  }
  const again = await openInMemory({}, fs);
  assert.equal(again.stats().replay.hints, CLOSED);
  for (const [key, value] of expected) assert.equal(text(again.getSync(key)), value);
  await again.close();
});

test("damage in the last record of a segment of the greatest length is found at its place", {
  timeout: TIMEOUT_MS,
}, async () => {
  const fs = await hugeLog();
  const store = await openInMemory({ readOnly: true }, fs);
  const open = fs.open.bind(fs);
  await store.close();
  fs.open = (path, mode) => {
    const file = open(path, mode);
    if (!path.endsWith(segmentName(2))) return file;
    return {
      ...file,
      read: (buffer, offset, length, position) => {
        const count = file.read(buffer, offset, length, position);
        const at = SEGMENT_BYTES_LIMIT - SYNC_FRAME_BYTES - 10 - position;
        if (at >= 0 && at < count) buffer[offset + at]! ^= 1;
        return count;
      },
    };
  };
  const damaged = await KvStore.open(PATH, { fileSystem: fs, readOnly: true });
  const error = await damaged.get(`segment 2, record ${RECORDS - 1}`).catch((reason) => reason);
  assert(error instanceof KvError && error.code === "CorruptLog");
  assert(error.offset! > 2 ** 31 - 1000 && error.offset! < SEGMENT_BYTES_LIMIT);
  assert.equal(text(await damaged.get("segment 2, record 0")), "the value of segment 2, record 0");
  await damaged.close();
});

test("no option makes a segment longer than its offsets can tell", {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const segmentBytesMax of [2 ** 30 + 1, 2 ** 31, 2 ** 32, 2 ** 53]) {
    await assert.rejects(openInMemory({ segmentBytesMax }), /segmentBytesMax/);
  }
  assert(SEGMENT_BYTES_LIMIT === 2 ** 31 - 1);
  // A segment that is as long as the option allows takes no further record, however short.
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let length = 3800; length < 4096; length += 7) {
    await store.set("long", "x".repeat(length));
    await store.set("short", "");
  }
  await store.close();
  for (const name of fs.readDirectory(DIRECTORY).filter((each) => each.endsWith(".log"))) {
    const { size } = fs.stat(`${DIRECTORY}/${name}`)!;
    // The mark that ends a segment and the one that seals it may come on top.
    assert(size <= 4096 + 59 + 2 * SYNC_FRAME_BYTES, `${name} has ${size} bytes`);
  }
  assert(fs.readDirectory(DIRECTORY).length > 20, "there were many segments");
});
