/** What a repair makes of damage inside of segments. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  computeFrameCrc,
  FRAME_HEADER_BYTES,
  OP_SET,
  OP_SET_EXPIRING,
} from "../../lib/format/record.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { RepairReport } from "../../lib/tools/repair.ts";
import { bytesOf, fromImage, joined } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { shortened } from "../support/memory_file.ts";
import { SegmentBuilder } from "../support/segment_builder.ts";
import { PATH, pattern } from "../support/test_store.ts";
import {
  changed,
  FIRST_SEGMENT,
  harmed,
  NOW,
  recordOf,
  tenKeys,
  writtenBy,
} from "./prepared_stores.ts";
import { openingOtherwise } from "./opening_otherwise.ts";
import { clockAt, REPAIRED, repairImage } from "./repaired_store.ts";
import { framesIn, framesOf, isRecord, stateOf } from "./written_records.ts";

const SYNC = 4;
const BATCH = 3;

test("repair: an intact store keeps content, versions, expiries and its next version", async () => {
  const image = await writtenBy(async (store) => {
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 40; key++) await store.set(`k${key}`, pattern(100, round));
    }
    await store.delete("k7");
    await store.batch([{ op: "set", key: "x", value: "1" }, { op: "set", key: "y", value: "2" }]);
    await store.set("expires", "later", { ttl: 5000 });
    await store.compact();
    await store.set("k8", pattern(3 << 20));
  }, { segmentBytesMax: 4096 });
  const { report, entries } = await repairImage(image, NOW);
  const expected = stateOf(framesOf(image).filter(isRecord), NOW);
  assert.equal(expected.size, 42);
  assert.deepEqual(
    new Map([...entries].sort()),
    new Map(
      [...expected].sort().map(([key, { value, lsn, expiresAt }]) => {
        return [key, { value, version: lsn, expiresAt }];
      }),
    ),
  );
  assert.deepEqual([report.complete, report.version], [true, 125]);
  assert.deepEqual([report.lost, report.batches, report.warnings], [[], [], []]);
  assert.equal(report.tornBytes, 0);
});

test("repair: what has expired stays gone, and hides older values", async () => {
  const image = await writtenBy(async (store) => {
    await store.set("a", "old");
    await store.set("a", "new", { ttl: 1000 });
    await store.set("b", "kept");
  });
  const { entries, report } = await repairImage(image, NOW + 1000);
  assert.deepEqual([...entries.keys()].sort(), ["b"]);
  assert.equal(report.recordsWritten, 2);
});

test("repair: damage at every byte of a record costs that record at most", async () => {
  const image = await tenKeys();
  const e = recordOf(image, "e");
  for (let at = 0; at < e.length; at++) {
    const { report, entries } = await repairImage(harmed(image, e, at), NOW);
    assert.equal(entries.get("e"), undefined, `byte ${at}`);
    assert.deepEqual([...entries.keys()].sort().join(""), "abcdfghij");
    assert.deepEqual(lost(report), [[FIRST_SEGMENT, e.offset, e.length, 1]], `byte ${at}`);
    assert.equal(report.complete, false);
    assert.equal(report.version, 10);
  }
});

test("repair: damaged control frames cost no record, and the report says so", async () => {
  const image = await tenKeys();
  for (const frame of framesIn(image, FIRST_SEGMENT).filter(({ op }) => op > BATCH)) {
    for (const at of [0, 5, 8, 16, 20, 30, frame.length - 1]) {
      const { report, entries } = await repairImage(harmed(image, frame, at), NOW);
      assert.equal(entries.size, 10);
      const isEnd = frame.offset === framesIn(image, FIRST_SEGMENT).at(-1)!.offset;
      if (!isEnd) assert(report.complete, `${frame.offset} + ${at}: ${JSON.stringify(report)}`);
    }
  }
});

test("repair: bytes put in between or in front, and zeros at the end, cost nothing else", async () => {
  const image = await tenKeys();
  const frames = framesIn(image, FIRST_SEGMENT);
  for (const { offset, op } of frames) {
    const inserted = changed(image, FIRST_SEGMENT, (bytes) => {
      return joined(bytes.subarray(0, offset), pattern(100), bytes.subarray(offset));
    });
    assert.equal((await repairImage(inserted, NOW)).entries.size, 10, `before op ${op}`);
  }
  const longer = changed(image, FIRST_SEGMENT, (bytes) => joined(bytes, new Uint8Array(5000)));
  const { report, entries } = await repairImage(longer, NOW);
  assert.deepEqual([entries.size, report.tornBytes, report.complete], [10, 5000, true]);
});

test("repair: records doubled or swapped are taken once each", async () => {
  const image = await tenKeys();
  const [d, e] = [recordOf(image, "d"), recordOf(image, "e")];
  const doubled = changed(image, FIRST_SEGMENT, (bytes) => {
    const record = bytes.subarray(d.offset, d.offset + d.length);
    return joined(bytes.subarray(0, d.offset), record, bytes.subarray(d.offset));
  });
  const swapped = changed(image, FIRST_SEGMENT, (bytes) => {
    const record = bytes.slice(d.offset, d.offset + d.length);
    bytes.copyWithin(d.offset, e.offset, e.offset + e.length);
    bytes.set(record, e.offset);
  });
  for (const damaged of [doubled, swapped]) {
    const { entries } = await repairImage(damaged, NOW);
    assert.equal(entries.size, 10);
    assert.equal(entries.get("d")?.version, 4);
    assert.equal(entries.get("e")?.version, 5);
  }
});

test("repair: the newest version of a key wins, wherever it stands", async () => {
  const image = await writtenBy(async (store) => {
    await store.set("k", "older");
    await store.set("k", "newer");
    await store.set("z", "");
  });
  const [older, newer] = framesIn(image, FIRST_SEGMENT).filter(({ key }) => key === "k");
  const swapped = changed(image, FIRST_SEGMENT, (bytes) => {
    const record = bytes.slice(older!.offset, older!.offset + older!.length);
    bytes.copyWithin(older!.offset, newer!.offset, newer!.offset + newer!.length);
    bytes.set(record, newer!.offset);
  });
  const { entries } = await repairImage(swapped, NOW);
  assert.deepEqual(entries.get("k"), { value: "newer", version: 2, expiresAt: 0 });
});

test("repair: sound frames of records that cannot be are left out", async () => {
  const expiry = (milliseconds: bigint) => {
    const value = new Uint8Array(12);
    new DataView(value.buffer).setBigUint64(0, milliseconds, true);
    return value;
  };
  const badKey = makeFrame(OP_SET, 5, "k~", new Uint8Array(3));
  badKey[FRAME_HEADER_BYTES + 1] = 0xff;
  new DataView(badKey.buffer).setUint32(
    badKey.length - 4,
    computeFrameCrc(badKey as Uint8Array<ArrayBuffer>, 0, badKey.length),
    true,
  );
  const { bytes } = new SegmentBuilder().record("a")
    .raw(makeFrame(OP_SET_EXPIRING, 2, "never", expiry(0n)), 2)
    .raw(makeFrame(OP_SET_EXPIRING, 3, "late", expiry(2n ** 60n)), 3)
    .record("b").raw(badKey, 5).record("c").mark();
  const { entries, report } = await repairImage(new Map([[FIRST_SEGMENT, bytes]]), NOW);
  assert.deepEqual([...entries.keys()].sort(), ["a", "b", "c"]);
  assert.equal(report.lost.length, 3);
});

test("repair: a batch is all or nothing, unless asked for what is left of it", async () => {
  const image = await writtenBy(async (store) => {
    await store.set("before", "1");
    const keys = ["b1", "b2", "b3"];
    await store.batch(keys.map((key) => ({ op: "set", key, value: "new".repeat(20) })));
    await store.set("after", "2");
  });
  const damaged = harmed(image, recordOf(image, "b2"), 30);
  const { report, entries } = await repairImage(damaged, NOW);
  const batch = framesIn(image, FIRST_SEGMENT).find(({ op }) => op === BATCH)!;
  assert.deepEqual([...entries.keys()].sort(), ["after", "before"]);
  assert.deepEqual(
    report.batches.map(({ offset, records, recordsReadable, kept }) => {
      return [offset, records, recordsReadable, kept];
    }),
    [[batch.offset, 3, 2, false]],
  );
  const kept = await repairImage(damaged, NOW, { keepPartialBatches: true });
  assert.deepEqual([...kept.entries.keys()].sort(), [
    "after",
    "b1",
    "b3",
    "before",
  ]);
  assert.equal(kept.report.batches[0]?.kept, true);
  assert.equal(kept.report.complete, false);
});

test("repair: blocks that the disk cannot read cost what is in them", async () => {
  const image = await writtenBy(async (store) => {
    for (let key = 0; key < 100; key++) await store.set(`k${key}`, pattern(400, key));
  });
  const sound = fromImage(image);
  const fs = openingOtherwise(sound, (path, mode) => {
    const file = sound.open(path, mode);
    if (!path.startsWith(PATH) || !path.endsWith(FIRST_SEGMENT)) return file;
    return {
      ...shortened(file, (wanted) => wanted),
      read(buffer, offset, length, position) {
        const isBad = position < 12_288 && position + length > 8192;
        if (isBad) throw ioError("read", path, new SystemError("EIO", "input/output error"));
        return file.read(buffer, offset, length, position);
      },
    };
  });
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs, clock: clockAt(NOW) });
  assert(report.keys >= 85 && report.keys < 95, `${report.keys} keys`);
  assert.match(report.warnings.join(), /1 blocks? of .*cannot be read/);
  assert.equal(report.lost.length, 1);
});

test("repair: one damaged byte anywhere in a store with several segments", async () => {
  const image = await writtenBy(async (store) => {
    for (let key = 0; key < 60; key++) await store.set(`k${key % 20}`, pattern(300, key));
  }, { segmentBytesMax: 4096 });
  const frames = framesOf(image).filter(isRecord);
  for (const frame of frames) {
    const { entries, report } = await repairImage(harmed(image, frame, 40), NOW);
    const others = stateOf(frames.filter((each) => each !== frame), NOW);
    for (const [key, { lsn }] of others) assert.equal(entries.get(key)?.version, lsn);
    assert.equal(report.lost.length, 1);
  }
});

test("repair: a store in which nothing can be read becomes an empty one", async () => {
  const image = await tenKeys();
  const ruined = changed(image, FIRST_SEGMENT, (bytes) => pattern(bytes.length, 1));
  const { report, entries } = await repairImage(ruined, NOW);
  assert.equal(entries.size, 0);
  assert.deepEqual([report.keys, report.complete], [0, false]);
  assert.equal(report.lost[0]?.length, bytesOf(image, FIRST_SEGMENT).length);
});

test("repair: takes no more memory for damaged lengths than the file is long", async () => {
  const image = await tenKeys();
  const e = recordOf(image, "e");
  for (const number of [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 30, 65_536]) {
    for (const at of [7, 11, 15, 19]) {
      const damaged = changed(image, FIRST_SEGMENT, (bytes) => {
        new DataView(bytes.buffer).setUint32(e.offset + at, number >>> 0, true);
      });
      const { entries } = await repairImage(damaged, NOW);
      for (const key of "abcdfghij") assert(entries.has(key), `${key}: ${number} at ${at}`);
    }
  }
});

test("repair: a mark is needed for nothing", async () => {
  const image = await tenKeys();
  const without = changed(image, FIRST_SEGMENT, (bytes) =>
    joined(
      ...framesIn(image, FIRST_SEGMENT).filter(({ op }) => op !== SYNC)
        .map(({ offset, length }) => bytes.subarray(offset, offset + length)),
    ));
  assert.equal((await repairImage(without, NOW)).entries.size, 10);
});

function lost(report: RepairReport): unknown[] {
  return report.lost.map(({ path, offset, length, recordsLost }) => {
    return [path.replace(/^.*\//, ""), offset, length, recordsLost];
  });
}
