import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectoryWatch } from "../../lib/fs/directory_watch.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { fileSystemContract } from "./file_system_contract.ts";

fileSystemContract("DirectoryWatch", () => {
  const fs = new DirectoryWatch(new MemoryFileSystem(), () => {});
  fs.makeDirectory("/store");
  return { fs, root: "/store", [Symbol.dispose]() {} };
});

test("DirectoryWatch: directories are synced, and a failure is told before it is thrown", async () => {
  const base = new FaultyFileSystem(new MemoryFileSystem());
  const told: unknown[] = [];
  const fs = new DirectoryWatch(base, (error) => void told.push(error));
  fs.makeDirectory("/wal");
  base.calls.length = 0;
  fs.syncDirectory("/wal");
  await fs.syncDirectoryAsync("/wal");
  assert.deepEqual(base.calls, ["syncDirectory wal", "syncDirectory wal"]);
  assert.deepEqual(told, []);
  base.fail = ({ what }) => what === "syncDirectory" ? "EIO" : undefined;
  assert.throws(() => fs.syncDirectory("/wal"), { code: "Io" });
  assert.equal(told.length, 1);
  await assert.rejects(() => fs.syncDirectoryAsync("/wal"), { code: "Io" });
  assert.equal(told.length, 2);
});
