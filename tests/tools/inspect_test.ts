import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { HintReader } from "../../lib/log/hint_reader.ts";
import { KvStore } from "../../lib/store/store.ts";
import { inspectFile, type InspectItem } from "../../lib/tools/inspect.ts";
import { bytesOf, fromImage, takeImage } from "../support/disk_image.ts";
import { fuzz, mutated } from "../support/fuzzing.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";
import { openInMemory, PATH, pattern, text } from "../support/test_store.ts";
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
import { framesIn } from "./written_records.ts";

async function inspect(bytes: Uint8Array, name: string, values = false): Promise<InspectItem[]> {
  const fs = new MemoryFileSystem();
  const file = fs.open(name, "create");
  file.write(bytes, 0, bytes.length, 0);
  const items: InspectItem[] = [];
  for await (const item of inspectFile(fs, name, systemClock, { values })) items.push(item);
  return items;
}

/** Where there is damage, and how much. */
function damages(items: readonly InspectItem[]): [number, number][] {
  return items.flatMap((item): [number, number][] =>
    item.kind === "damage" ? [[item.offset, item.length]] : []
  );
}

test("inspect: every frame of a segment, with its fields", async () => {
  const image = await writtenBy(async (store) => {
    await store.set("a", "value");
    await store.set("b", "expiring", { ttl: 1000 });
    await store.delete("a");
    await store.batch([{ op: "set", key: "c", value: "1" }, { op: "set", key: "d", value: "2" }]);
  });
  const items = await inspect(bytesOf(image, FIRST_SEGMENT), "segment", true);
  const [file, header, ...rest] = items;
  assert(file?.kind === "file" && file.type === "segment");
  assert(header?.kind === "control" && header.op === "SEGMENT");
  assert.equal(header.fields["fileId"], 1);
  assert.equal(header.fields["firstLsn"], 1);
  const frames = framesIn(image, FIRST_SEGMENT).slice(1);
  assert.deepEqual(
    rest.map((item) => "offset" in item && "length" in item && [item.offset, item.length]),
    frames.map(({ offset, length }) => [offset, length]),
  );
  const records = rest.filter((item) => item.kind === "record");
  assert.deepEqual(
    records.map(({ op, lsn, key, value, valueLength, expiresAt }) => {
      return [op, lsn, text(key), text(value), valueLength, expiresAt];
    }),
    [
      ["SET", 1, "a", "value", 5, undefined],
      ["SET_EXPIRING", 2, "b", "expiring", 8, NOW + 1000],
      ["DELETE", 3, "a", undefined, undefined, undefined],
      ["SET", 4, "c", "1", 1, undefined],
      ["SET", 5, "d", "2", 1, undefined],
    ],
  );
  const controls = rest.filter((item) => item.kind === "control");
  const batch = controls.find(({ op }) => op === "BATCH");
  assert.deepEqual(batch?.fields, { count: 2, byteLength: 2 * (27 + 2) });
  const mark = controls.find(({ op }) => op === "SYNC");
  assert.equal(mark?.fields["ownOffset"], mark?.offset);
});

test("inspect: values only if asked for", async () => {
  const image = await tenKeys();
  const items = await inspect(bytesOf(image, FIRST_SEGMENT), "segment");
  assert(items.every((item) => !("value" in item)));
});

test("inspect: damage is shown where it is, and the frames behind it follow", async () => {
  const image = await tenKeys();
  const e = recordOf(image, "e");
  for (let at = 0; at < e.length; at += 3) {
    const items = await inspect(bytesOf(harmed(image, e, at), FIRST_SEGMENT), "segment");
    assert.deepEqual(damages(items), [[e.offset, e.length]], `byte ${at}`);
    const keys = items.flatMap((item) => item.kind === "record" ? [text(item.key)] : []);
    assert.equal(keys.join(""), "abcdfghij");
  }
  const badValue = await inspect(bytesOf(harmed(image, e, 30), FIRST_SEGMENT), "segment");
  const damage = badValue.find((item) => item.kind === "damage");
  assert.match(damage!.message, /checksum/);
  assert.deepEqual(damage!.claims, { op: "SET", lsn: 5, keyLength: 1, valueLength: 50 });
});

test("inspect: the other files of a store, by content, whatever their names", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let key = 0; key < 30; key++) await store.set(`k${key}`, pattern(300));
  await store.compact();
  await store.close();
  const image = takeImage(fs);
  const hintName = [...image.keys()].find((name) => name.endsWith(".hint"))!;
  const active = await inspect(bytesOf(image, "ACTIVE"), "a");
  assert(active[0]?.kind === "file" && active[0].type === "active");
  assert(active[1]?.kind === "fields");
  assert.equal(active.length, 2 + Number(active[1].fields["segments"]));
  const nodeId = await inspect(bytesOf(image, "NODE_ID"), "n");
  assert(nodeId[0]?.kind === "file" && nodeId[0].type === "nodeId");
  assert(nodeId[1]?.kind === "fields");
  assert.equal(nodeId[1].fields["nodeId"], active[1].fields["nodeId"]);
  const lock = await inspect(readFile(fs, `${PATH}/LOCK`, 100), "l");
  assert(lock[0]?.kind === "file" && lock[0].type === "lock");
  assert.match(JSON.stringify(lock[1]), /"lastHolder":"\d+"/);
  const hint = await inspect(bytesOf(image, hintName), "h");
  assert(hint[0]?.kind === "file" && hint[0].type === "hint");
  const entries = hint.filter((item) => item.kind === "entry");
  const last = hint.at(-1);
  assert(last?.kind === "fields" && entries.length > 0);
  assert.equal(last.fields["entryCount"], entries.length);
  assert.deepEqual(damages([...active, ...nodeId, ...lock, ...hint]), []);
});

test("inspect: a checkpoint, and what is damaged in it", async () => {
  const image = await writtenBy(async (store) => {
    for (let key = 0; key < 40; key++) await store.set(`k${key}`, pattern(300));
  }, { segmentBytesMax: 4096, checkpointRecordsMin: 0 });
  const bytes = bytesOf(image, "CHECKPOINT");
  const items = await inspect(bytes, "c");
  assert(items[0]?.kind === "file" && items[0].type === "checkpoint");
  assert.deepEqual(damages(items), []);
  const segments = items.filter((item) => item.kind === "fields" && "coveredLength" in item.fields);
  assert.equal(segments.length, [...image.keys()].filter((name) => name.endsWith(".log")).length);
  const end = items.at(-1);
  assert(end?.kind === "fields" && Number(end.fields["blocks"]) > 2);
  for (const at of [8, bytes.length - 1, bytes.length - 70_000]) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1;
    assert.equal(damages(await inspect(damaged, "c")).length, 1, `byte ${at}`);
  }
  assert.equal(damages(await inspect(bytes.subarray(0, bytes.length - 3), "c")).length, 1);
  assert.deepEqual(damages(await inspect(pattern(50), "CHECKPOINT")), [[0, 50]]);
});

test("inspect: what is no file of Cairn's is said to be none; damaged ones go by their name", async () => {
  for (const bytes of [new Uint8Array(0), pattern(10), pattern(100_000)]) {
    const items = await inspect(bytes, "picture.jpg");
    assert(items[0]?.kind === "file" && items[0].type === "unknown");
    assert.equal(items[1]?.kind, "damage");
  }
  const image = await tenKeys();
  const headless = changed(image, FIRST_SEGMENT, (bytes) => void bytes.fill(0, 0, 59));
  const items = await inspect(bytesOf(headless, FIRST_SEGMENT), FIRST_SEGMENT);
  assert.equal(items.filter((item) => item.kind === "record").length, 10);
  assert.deepEqual(damages(items), [[0, 59]]);
  assert.deepEqual(damages(await inspect(pattern(50), "ACTIVE")), [[0, 50]]);
});

test("inspect: a file that grows, up to and including the frame that was being written", async () => {
  const image = await tenKeys();
  const fs = fromImage(image);
  const path = `${PATH}/wal/${FIRST_SEGMENT}`;
  const e = recordOf(image, "e");
  let looks = 0;
  const growing = openingOtherwise(fs, (name, mode) => {
    const file = fs.open(name, mode);
    return {
      ...shortened(file, (wanted) => wanted),
      size: () => looks++ === 0 ? e.offset + 20 : file.size(),
    };
  });
  const items: InspectItem[] = [];
  for await (const item of KvStore.inspect(path, { fileSystem: growing })) items.push(item);
  const keys = items.flatMap((item) => item.kind === "record" ? [text(item.key)] : []);
  assert.equal(keys.join(""), "abcde");
  assert.deepEqual(damages(items), []);
});

test("inspect: no damage makes it fail, lose its way, or miss what a hint reader finds", async () => {
  const image = await writtenBy(async (store) => {
    for (let key = 0; key < 40; key++) {
      await store.set(`k${key}`, pattern(key * 10), key % 3 === 0 ? { ttl: 1000 } : {});
    }
    await store.compact();
  }, { segmentBytesMax: 4096 });
  const names = [...image.keys()];
  await fuzz(200, async (random) => {
    const name = random.pick(names);
    const bytes = mutated(bytesOf(image, name), random);
    const items = await inspect(bytes, name, true);
    let end = 0;
    for (const item of items) {
      if (!("offset" in item) || !("length" in item)) continue;
      assert(item.offset >= end || item.kind === "damage", `${item.offset} before ${end}`);
      end = item.offset + item.length;
      assert(end <= bytes.length);
    }
    if (items[0]?.kind === "file" && items[0].type === "hint") assertAgree(bytes, items);
  });
});

/** A hint file is damaged for the inspection if and only if it is for the store. */
function assertAgree(bytes: Uint8Array, items: readonly InspectItem[]): void {
  const hint = new HintReader(memoryFile(bytes));
  while (hint.next());
  const outside = /outside the segment/.test(hint.problem ?? "");
  if (!outside) assert.equal(damages(items).length > 0, hint.problem !== undefined, hint.problem);
}
