/** Files read through memory maps: nothing about what is read may differ. */

import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import type { File } from "../../lib/fs/file_system.ts";
import { nodeFileSystem as fs } from "../../lib/fs/node_file_system.ts";
import { writeFully } from "../../lib/fs/whole_file.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { pattern } from "../support/test_store.ts";

const withoutMaps = !("Bun" in globalThis)
  ? "only Bun maps files"
  : process.platform !== "linux"
  ? "needs /proc"
  : undefined;

/** How often a file is mapped into this process. */
function mapCount(path: string): number {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  return maps.filter((line) => line.includes(path)).length;
}

function filledFile(path: string, length: number): File {
  const file = fs.open(path, "create");
  writeFully(file, pattern(length), 0, length, 0);
  return file;
}

/** Reads as the engine does, and compares with what the file should hold. */
function assertReads(file: File, expected: Uint8Array): void {
  const buffer = new Uint8Array(20_000);
  for (const position of [0, 1, 4095, 4096, expected.length - 100, expected.length - 1]) {
    for (const length of [1, 99, 5000, 9000]) {
      for (const offset of [0, 7]) {
        buffer.fill(0);
        const count = file.read(buffer, offset, length, position);
        assert.equal(count, Math.min(length, Math.max(0, expected.length - position)));
        assert.deepEqual(
          buffer.subarray(offset, offset + count),
          expected.subarray(position, position + count),
        );
        assert.equal(buffer[offset + count], 0, "nothing is written behind what was read");
      }
    }
  }
}

test("what is read of a mapped file is what is in it, mapped or not", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 50_000);
  const expected = pattern(50_000);
  for (const length of [0, 1, 4096, 20_000, 49_950, 50_000]) {
    file.map?.(length);
    assertReads(file, expected);
  }
  file.close();
});

test("a mapped file shows what is written to it, and what it has grown by", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 10_000);
  file.map?.(10_000);
  const more = pattern(10_000, 1);
  writeFully(file, more, 0, more.length, 5000);
  const expected = new Uint8Array(15_000);
  expected.set(pattern(10_000));
  expected.set(more, 5000);
  assertReads(file, expected);
  file.close();
});

test("a file that is shorter than what is asked to be mapped is read as it is", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 10_000);
  file.map?.(10_000);
  truncateSync(directory.join("f"), 4000);
  file.map?.(10_000);
  assertReads(file, pattern(10_000).subarray(0, 4000));
  file.close();
});

test("ranges are checked for a mapped file too", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 10_000);
  file.map?.(10_000);
  const buffer = new Uint8Array(10);
  assert.throws(() => file.read(buffer, 0, 11, 0));
  assert.throws(() => file.read(buffer, 5, 6, 0));
  assert.throws(() => file.read(buffer, 0, 5, -1));
  assert.throws(() => file.read(buffer, 0, 5, NaN));
  file.close();
});

test("a closed file is read no more, mapped or not", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 10_000);
  file.map?.(10_000);
  file.close();
  file.close();
  assert.throws(() => file.read(new Uint8Array(10), 0, 10, 0), /closed/);
});

testUnless(withoutMaps, "bytes are fetched ahead where they are mapped, and nowhere else", () => {
  using directory = new TemporaryDirectory();
  const file = filledFile(directory.join("f"), 1 << 20);
  const maps = [1 << 20, 100, 8192].map((length) => file.map!(length)!);
  const positions = [0, 64, 8000, 8001, 1 << 19, 2 ** 30, 2 ** 40, -64, -(2 ** 45), NaN, Infinity];
  // What touches memory that is not mapped, or not any more, ends this process.
  for (const map of maps) for (const position of positions) map.touch(position);
  assert.equal(file.map!((1 << 20) + 1), undefined);
  for (const map of maps) for (const position of positions) map.touch(position);
  file.close();
});

testUnless(withoutMaps, "one map a file at most, given back when the file is closed", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("f");
  const file = filledFile(path, 100_000);
  assert.equal(mapCount(path), 0);
  for (const length of [4096, 50_000, 100_000, 8192]) {
    file.map!(length);
    assert.equal(mapCount(path), 1);
  }
  file.map!(100_001);
  assert.equal(mapCount(path), 0, "never more than the file has");
  file.map!(100_000);
  fs.unlink(path);
  assert.equal(mapCount(`${path} (deleted)`), 1);
  file.close();
  assert.equal(mapCount(path), 0);
});

testUnless(
  withoutMaps,
  "a mapped file that calls are in flight on is unmapped at once",
  async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("f");
    const file = filledFile(path, 100_000);
    file.map!(100_000);
    const buffer = new Uint8Array(100_000);
    const read = file.readAsync(buffer, 0, buffer.length, 0);
    file.close();
    assert.equal(mapCount(path), 0);
    assert.equal(await read, 100_000);
    assert.deepEqual(buffer, pattern(100_000));
  },
);
