/** Feeds over frames whose checksums hold, but which are not those that were written there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { OP_BATCH, OP_SET_EXPIRING } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { takeAll } from "../support/change_follower.ts";
import { type Frame, framesOf, makeFrame } from "../support/frames.ts";
import { failsWith } from "../support/kv_error.ts";
import { openInMemory, PATH, segmentIds } from "../support/test_store.ts";

/** Changes a store, then the segment that was begun last, and expects a feed to notice. */
async function mustBeNoticed(
  work: (store: KvStore) => Promise<unknown>,
  change: (bytes: Uint8Array, frames: Frame[]) => { at: number; bytes: Uint8Array },
  message: RegExp,
): Promise<void> {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await work(store);
  const path = `${PATH}/wal/${String(Math.max(...segmentIds(fs))).padStart(10, "0")}.log`;
  const file = fs.open(path, "write");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  const { at, bytes: instead } = change(bytes, framesOf(bytes));
  const since = Math.max(0, store.stats().version - 4);
  assert((await takeAll(store, { since })).length > 0, "sound before");
  file.write(instead, 0, instead.length, at);
  file.close();
  const error = await failsWith("CorruptLog", message, () => takeAll(store, { since }));
  assert.deepEqual([error.path, error.offset], [path, at]);
}

test("a header of a segment in the place of a record of a compacted one", async () => {
  // Of the same length, so that nothing else is amiss.
  const value = "v".repeat(SEGMENT_FRAME_BYTES - makeFrame(OP_BATCH, 1, "1").length);
  await mustBeNoticed(
    async (store) => {
      for (let key = 1; key <= 6; key++) {
        await store.set(`${key}`, value);
        await store.set("x", value);
      }
      await store.compact();
      await store.set("newest", "1");
    },
    (bytes, frames) => {
      const record = frames.find(({ lsn, isMark }) => lsn === 11 && !isMark)!;
      assert.equal(record.end - record.offset, SEGMENT_FRAME_BYTES);
      return { at: record.offset, bytes: bytes.slice(0, SEGMENT_FRAME_BYTES) };
    },
    /not where it belongs/,
  );
});

test("the beginning of another batch in the place of a batch's", async () => {
  const batch = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ op: "set", key: `${index}` }) as const)
      .map((op) => ({ ...op, value: "1" }));
  await mustBeNoticed(
    async (store) => {
      await store.batch(batch(2));
      await store.batch(batch(3));
    },
    (bytes, frames) => {
      const [first, second] = frames.filter(({ op }) => op === OP_BATCH);
      return { at: second!.offset, bytes: bytes.slice(first!.offset, first!.end) };
    },
    /a batch of 2 records does not fit/,
  );
});

test("an impossible time of expiry", async () => {
  await mustBeNoticed(
    (store) => store.set("key", "value", { ttl: 1_000_000 }).then(() => store.set("b", "1")),
    (_, frames) => {
      const { offset, end, lsn } = frames.find(({ op }) => op === OP_SET_EXPIRING)!;
      const stored = new Uint8Array(8 + "value".length).fill(0xff);
      const bytes = makeFrame(OP_SET_EXPIRING, lsn, "key", stored);
      assert.equal(bytes.length, end - offset);
      return { at: offset, bytes };
    },
    /impossible time/,
  );
});
