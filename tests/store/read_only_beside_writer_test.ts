/** Opening with `readOnly` at the very moment in which a writer begins a segment, or the store. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { mustOpen, read } from "../support/store_outcome.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

const WAL = `${PATH}/wal`;
const SMALL = { segmentBytesMax: 4096 };

/** Does something once, between two calls of whoever uses it. */
class BusyFileSystem extends MemoryFileSystem {
  beforeListing: (() => void) | undefined;
  /** Names that are not there yet when they are first looked for. */
  readonly notYet = new Set<string>();
  /** Names that are listed, but gone when somebody opens them. */
  readonly nearlyGone: string[] = [];

  override readDirectory(path: string): string[] {
    const act = this.beforeListing;
    this.beforeListing = undefined;
    act?.();
    return [...super.readDirectory(path), ...this.nearlyGone];
  }

  override stat(path: string) {
    return this.notYet.delete(path) ? undefined : super.stat(path);
  }
}

test("segments begun since ACTIVE was read do not make it an old copy", async () => {
  const fs = new BusyFileSystem();
  await using writer = await openInMemory(SMALL, fs);
  for (let index = 0; index < 20; index++) await writer.set(`key ${index}`, "x".repeat(300));
  const before = await read(writer);
  let rotated = 0;
  fs.beforeListing = () => {
    const { segments } = writer.stats();
    for (let index = 0; index < 40; index++) writer.setSync(`later ${index}`, "y".repeat(300));
    rotated = writer.stats().segments - segments;
  };
  const reader = await openInMemory({ readOnly: true }, fs);
  assert(rotated >= 2, "segments were begun while it was opening");
  const { state } = await read(reader);
  for (const [key, value] of Object.entries(before.state)) assert.equal(state[key], value);
  await reader.close();
});

test("a compaction that goes on meanwhile does not make it one either", async () => {
  const fs = new BusyFileSystem();
  await using writer = await openInMemory(SMALL, fs);
  for (let index = 0; index < 40; index++) await writer.set(`key ${index % 7}`, "x".repeat(300));
  const before = await read(writer);
  let compaction: Promise<unknown> | undefined;
  fs.beforeListing = () => compaction = writer.compact();
  const reader = await openInMemory({ readOnly: true }, fs);
  assert.deepEqual((await read(reader)).state, before.state);
  await compaction;
  await reader.close();
});

test("a store that gets its ACTIVE while it is looked for has not lost it", async () => {
  const fs = new BusyFileSystem();
  const writer = await openInMemory(SMALL, fs);
  await writer.set("a", "1");
  await writer.close();
  fs.notYet.add(`${WAL}/ACTIVE`);
  assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, { a: "1" });
  assert.equal(fs.notYet.size, 0);
});

test("a copy that is given up while it is opened is no store, and no defect", async () => {
  const fs = new MemoryFileSystem();
  await (await openInMemory(SMALL, fs)).close();
  let looks = 0;
  const vanishing = new InterceptingFileSystem(fs);
  vanishing.stat = (path) => {
    // It is there when it is looked for, and gone when it is read.
    return path.endsWith("ACTIVE") && ++looks > 2 ? undefined : fs.stat(path);
  };
  await failsWith("Io", /holds no store/, () => openInMemory({ readOnly: true }, vanishing));
  assert.equal(looks, 3);
});

test("an output that a compaction gives up while it is looked at is no newer segment", async () => {
  const fs = new BusyFileSystem();
  const writer = await openInMemory(SMALL, fs);
  await writer.set("a", "1");
  await writer.close();
  fs.nearlyGone.push("0000000099.log");
  assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, { a: "1" });
});
