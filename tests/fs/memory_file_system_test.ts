import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { fileSystemContract } from "./file_system_contract.ts";

fileSystemContract("MemoryFileSystem", () => {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("/store");
  return { fs, root: "/store", [Symbol.dispose]() {} };
});

test("paths mean the same however they are spelled", () => {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("a/b");
  fs.open("/a//b/./f", "create").close();
  assert.deepEqual(fs.stat("a\\b\\..\\b\\f"), { kind: "file", size: 0 });
  assert.deepEqual(fs.stat("/"), { kind: "directory", size: 0 });
});

test("two file systems share nothing", () => {
  const one = new MemoryFileSystem();
  const other = new MemoryFileSystem();
  const lock = one.lock("/LOCK");
  assert.ok(lock);
  assert.equal(other.stat("/LOCK"), undefined);
  assert.ok(other.lock("/LOCK"));
});

test("bytes read are copies", () => {
  const fs = new MemoryFileSystem();
  const file = fs.open("/f", "create");
  const written = new Uint8Array([1, 2, 3]);
  file.write(written, 0, 3, 0);
  written.fill(9);
  const read = new Uint8Array(3);
  file.read(read, 0, 3, 0);
  assert.deepEqual([...read], [1, 2, 3]);
  read.fill(7);
  file.read(written, 0, 3, 0);
  assert.deepEqual([...written], [1, 2, 3]);
});

test("a file that grows by many small writes keeps them all", () => {
  const fs = new MemoryFileSystem();
  const file = fs.open("/f", "create");
  for (let i = 0; i < 5000; i++) file.write(new Uint8Array([i & 255, i >> 8]), 0, 2, 2 * i);
  const all = new Uint8Array(10_000);
  assert.equal(file.read(all, 0, 10_000, 0), 10_000);
  for (let i = 0; i < 5000; i++) assert.equal(all[2 * i]! | all[2 * i + 1]! << 8, i);
});
