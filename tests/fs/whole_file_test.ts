import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../lib/assert.ts";
import { KvError } from "../../lib/errors.ts";
import type { File } from "../../lib/fs/file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  readFile,
  readFully,
  readFullyAsync,
  writeFully,
  writeFullyAsync,
} from "../../lib/fs/whole_file.ts";
import { isIoError } from "./file_system_contract.ts";

/** A file in memory whose calls never do more than `countMax` bytes at once. */
function shortFile(countMax: number): File {
  const fs = new MemoryFileSystem();
  const file = fs.open("/f", "create");
  const { read, readAsync, write } = file;
  return Object.assign(file, {
    read: (buffer: Uint8Array, offset: number, length: number, position: number) =>
      read.call(file, buffer, offset, Math.min(length, countMax), position),
    readAsync: (buffer: Uint8Array, offset: number, length: number, position: number) =>
      readAsync.call(file, buffer, offset, Math.min(length, countMax), position),
    write: (buffer: Uint8Array, offset: number, length: number, position: number) =>
      write.call(file, buffer, offset, Math.min(length, countMax), position),
  });
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (content: string) => new TextEncoder().encode(content);

for (const countMax of [1, 2, 3, 1000]) {
  test(`all is read and written, by ${countMax} bytes at a time`, async () => {
    const file = shortFile(countMax);
    writeFully(file, bytes("..hello, world.."), 2, 12, 3);
    assert.equal(file.size(), 15);
    const buffer = bytes("-".repeat(14));
    assert.equal(readFully(file, buffer, 1, 12, 3), 12);
    assert.equal(text(buffer), "-hello, world-");
    buffer.fill(45);
    assert.equal(await readFullyAsync(file, buffer, 1, 12, 3), 12);
    assert.equal(text(buffer), "-hello, world-");
  });

  for (const isAble of [false, true]) {
    const able = isAble ? "" : "not ";
    test(`all is written without blocking, ${able}able to, by ${countMax} bytes at a time`, async () => {
      const file = shortFile(countMax);
      if (isAble) {
        const { write } = file;
        file.writeAsync = async (...range) => {
          await Promise.resolve();
          return write.call(file, ...range);
        };
        file.write = () => assert.fail("it blocks");
      }
      await writeFullyAsync(file, bytes("..hello, world.."), 2, 12, 3);
      assert.equal(file.size(), 15);
      const buffer = bytes("-".repeat(12));
      assert.equal(readFully(file, buffer, 0, 12, 3), 12);
      assert.equal(text(buffer), "hello, world");
    });
  }

  test(`the end of the file is no error, by ${countMax} bytes at a time`, async () => {
    const file = shortFile(countMax);
    writeFully(file, bytes("12345"), 0, 5, 0);
    const buffer = bytes("--------");
    assert.equal(readFully(file, buffer, 0, 8, 2), 3);
    assert.equal(text(buffer), "345-----");
    assert.equal(await readFullyAsync(file, buffer, 2, 6, 2), 3);
    assert.equal(text(buffer), "34345---");
    assert.equal(readFully(file, buffer, 0, 8, 5), 0);
    assert.equal(readFully(file, buffer, 0, 0, 0), 0);
  });
}

test("an error on the way is thrown, not taken for the end", async () => {
  const file = shortFile(2);
  writeFully(file, bytes("123456"), 0, 6, 0);
  const failure = ioError("read", "/f", new SystemError("EIO", "input/output error"));
  const { read } = file;
  file.read = (buffer, offset, length, position) => {
    if (position >= 4) throw failure;
    return read.call(file, buffer, offset, length, position);
  };
  file.readAsync = (...range) => new Promise((resolve) => resolve(file.read(...range)));
  assert.throws(() => readFully(file, new Uint8Array(6), 0, 6, 0), failure);
  await assert.rejects(readFullyAsync(file, new Uint8Array(6), 0, 6, 0), failure);
});

test("a write that makes no progress is an error, not a loop", async () => {
  const file = shortFile(2);
  file.write = () => 0;
  assert.throws(() => writeFully(file, bytes("abc"), 0, 3, 0), isIoError("EIO", "/f"));
  writeFully(file, bytes("abc"), 0, 0, 0);
  await assert.rejects(writeFullyAsync(file, bytes("abc"), 0, 3, 0), isIoError("EIO", "/f"));
  await writeFullyAsync(file, bytes("abc"), 0, 0, 0);
});

test("an impossible count is a defect of the file system", () => {
  const file = shortFile(2);
  for (const count of [4, -1, 1.5, NaN]) {
    file.write = () => count;
    file.read = () => count;
    assert.throws(() => writeFully(file, bytes("abc"), 0, 3, 0), InvariantError);
    assert.throws(() => readFully(file, bytes("abc"), 0, 3, 0), InvariantError);
  }
});

test("readFile reads a file whole, up to its maximum", () => {
  const fs = new MemoryFileSystem();
  const file = fs.open("/f", "create");
  assert.equal(readFile(fs, "/f", 0).length, 0);
  file.write(bytes("12345"), 0, 5, 0);
  assert.equal(text(readFile(fs, "/f", 5)), "12345");
  assert.throws(() => readFile(fs, "/f", 4), (error) => {
    assert.ok(error instanceof KvError);
    assert.equal(error.code, "CorruptLog");
    assert.equal(error.path, "/f");
    assert.match(error.message, /5 bytes.*at most 4/);
    return true;
  });
  assert.throws(() => readFile(fs, "/no", 4), isIoError("ENOENT", "/no"));
});

test("readFile allocates nothing for a file that is too long", () => {
  const fs = new MemoryFileSystem();
  const huge = Object.assign(fs.open("/f", "create"), { size: () => 2 ** 52 });
  fs.open = () => huge;
  assert.throws(() => readFile(fs, "/f", 100), { code: "CorruptLog" });
});
