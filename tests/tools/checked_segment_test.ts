/** Reading a segment for a copy: without blocking, in pieces, and only what was found sound. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { File } from "../../lib/fs/file_system.ts";
import { systemClock } from "../../lib/clock.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { PinnedFile } from "../../lib/log/pinned_file.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { readChecked } from "../../lib/tools/checked_segment.ts";
import { parseNodeId } from "../../lib/format/node_id.ts";
import { equalBytes, joined } from "../support/disk_image.ts";
import { failsWith } from "../support/kv_error.ts";
import { openInMemory, pattern, turn } from "../support/test_store.ts";

const PIECE_BYTES = 1 << 20;
const NAME = "/store/wal/0000000001.log";

/** A segment with one record after the other, from an open store; and how it must be found. */
async function segmentOf(work: (store: KvStore) => Promise<unknown>) {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({}, fs);
  await work(store);
  const { version, nodeId } = store.stats();
  await store.close();
  const file = fs.open(NAME, "write");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  const expected = {
    fileId: 1,
    nodeId: parseNodeId(nodeId)!,
    length: bytes.length,
    chain: undefined,
    lastLsn: version,
  };
  return { file, bytes, expected };
}

/** A file that counts its blocking reads. */
function watched(file: File): { file: File; blocking: number } {
  const counted = { file, blocking: 0 };
  counted.file = {
    ...delegate(file),
    read: (...range) => {
      counted.blocking++;
      return file.read(...range);
    },
    readAsync: async (buffer, offset, length, position) => {
      await turn();
      return file.read(buffer, offset, length, position);
    },
  };
  return counted;
}

function delegate(file: File): File {
  return {
    path: file.path,
    read: (...range) => file.read(...range),
    readAsync: (...range) => file.readAsync(...range),
    write: (...range) => file.write(...range),
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  };
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}

const SEGMENTS: Record<string, (store: KvStore) => Promise<unknown>> = {
  "nothing at all": () => Promise.resolve(),
  "small records": async (store) => {
    for (let index = 0; index < 6000; index++) void store.set(`key ${index}`, pattern(600, index));
    await store.flush();
  },
  "records much longer than a piece": async (store) => {
    await store.set("before", "1");
    await store.set("long", pattern(5 << 20));
    await store.set("between", "2");
    await store.set("long as well", pattern((3 << 20) + 17));
    await store.set("after", "3");
  },
  "a batch much longer than a piece": async (store) => {
    await store.set("before", "1");
    const ops = Array.from({ length: 500 }, (_, index) => {
      return { op: "set" as const, key: `${index}`, value: pattern(9000, index) };
    });
    await store.batch(ops);
    await store.set("after", "2");
  },
};

for (const [name, work] of Object.entries(SEGMENTS)) {
  test(`copying ${name}: the same bytes, in pieces, without a blocking read`, async () => {
    const { file, bytes, expected } = await segmentOf(work);
    const counted = watched(file);
    const source = new PinnedFile(counted.file);
    const pieces = await collect(readChecked(source, expected, () => {}, systemClock));
    assert(equalBytes(joined(...pieces), bytes));
    assert(pieces.every(({ length }) => length > 0 && length <= PIECE_BYTES));
    assert.equal(counted.blocking, 0);
  });
}

test("copying: what is handed out before damage is sound, and the damage is named", async () => {
  const { file, bytes, expected } = await segmentOf(SEGMENTS["small records"]!);
  const damagedAt = bytes.length - 1000;
  file.write(Uint8Array.of(bytes[damagedAt]! ^ 1), 0, 1, damagedAt);
  const pieces: Uint8Array[] = [];
  const error = await failsWith("CorruptLog", /0000000001.log/, async () => {
    for await (const piece of readChecked(new PinnedFile(file), expected, () => {}, systemClock)) {
      pieces.push(piece);
    }
  });
  assert(error.offset! <= damagedAt && damagedAt < error.offset! + 700);
  const sound = joined(...pieces);
  assert(sound.length > 0 && sound.length <= error.offset!);
  assert(equalBytes(sound, bytes.subarray(0, sound.length)));
});

test("copying: sound frames that are not all those that were written are damage", async () => {
  const { file, expected } = await segmentOf(async (store) => {
    for (let index = 0; index < 3; index++) await store.set("key", `${index}`);
  });
  const copy = (changes: Partial<typeof expected>) => () =>
    collect(readChecked(new PinnedFile(file), { ...expected, ...changes }, () => {}, systemClock));
  await failsWith("CorruptLog", /newest record is 3, and should be 4/, copy({ lastLsn: 4 }));
  await failsWith("CorruptLog", /not those/, copy({ chain: 1 as unknown as undefined }));
  await failsWith("CorruptLog", /ends inside/, copy({ length: expected.length - 1 }));
  await failsWith("CorruptLog", /ends inside|should have/, copy({ length: expected.length + 99 }));
  await failsWith("CorruptLog", /segment 1/, copy({ fileId: 2 }));
  await failsWith("CorruptLog", /another store/, copy({ nodeId: new Uint8Array(16) }));
});

test("copying: a file given up while it is read is closed afterwards, and not read again", async () => {
  const { file, expected } = await segmentOf(SEGMENTS["records much longer than a piece"]!);
  let isClosed = false;
  let reads = 0;
  const source = new PinnedFile({
    ...delegate(file),
    readAsync: async (...range) => {
      reads++;
      if (reads === 2) source.retire();
      await turn();
      assert(!isClosed, "the file is open while it is read");
      return await file.readAsync(...range);
    },
    close: () => {
      isClosed = true;
    },
  });
  const assertOpen = () => {
    if (isClosed) throw new Error("given up");
  };
  await assert.rejects(collect(readChecked(source, expected, assertOpen, systemClock)), /given up/);
  assert.deepEqual([reads, isClosed], [2, true]);
});
