/** What the lock file says, which is for messages only. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { openInMemory, PATH, text } from "../support/test_store.ts";

test("the lock file names the process that holds it, and nothing of an earlier holder", async () => {
  const fs = new MemoryFileSystem();
  fs.makeDirectory(PATH);
  const note = new TextEncoder().encode("process 12345678901234567890\nand more\n");
  const file = fs.open(`${PATH}/LOCK`, "create");
  file.write(note, 0, note.length, 0);
  file.close();
  await using _store = await openInMemory({}, fs);
  assert.equal(text(readFile(fs, `${PATH}/LOCK`, 256)), `process ${process.pid}\n`);
});

test("a file system that says which process holds its lock has that one named", async () => {
  const fs = new MemoryFileSystem();
  const lock = fs.lock.bind(fs);
  fs.lock = (path) => {
    const held = lock(path);
    return held && { processId: 4711, release: () => held.release() };
  };
  await using _store = await openInMemory({}, fs);
  assert.equal(text(readFile(fs, `${PATH}/LOCK`, 256)), "process 4711\n");
});
