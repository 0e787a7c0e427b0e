import assert from "node:assert/strict";
import { test } from "node:test";
import { removeDurably, removeDurablyAsync, replaceDurably } from "../../lib/fs/durable.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { isIoError } from "./file_system_contract.ts";
import { RecordingFileSystem } from "./recording_file_system.ts";

const bytes = (content: string) => new TextEncoder().encode(content);

function setUp(files: Record<string, string> = {}) {
  const memory = new MemoryFileSystem();
  memory.makeDirectory("/wal");
  for (const [name, content] of Object.entries(files)) {
    memory.open(`/wal/${name}`, "create").write(bytes(content), 0, content.length, 0);
  }
  const content = (name: string) => new TextDecoder().decode(readFile(memory, `/wal/${name}`, 99));
  return { memory, content, fs: new RecordingFileSystem(memory) };
}

/** Makes the call `failing` fail with EIO, each time it is made. */
function failAt(fs: RecordingFileSystem, failing: string): void {
  fs.onCall = (call) => {
    if (call === failing) throw ioError("do", call, new SystemError("EIO", "input/output error"));
  };
}

test("replaceDurably writes, syncs, renames, and syncs the directory, in this order", () => {
  const { fs, content, memory } = setUp({ ACTIVE: "old" });
  replaceDurably(fs, "/wal", "ACTIVE", bytes("new"));
  assert.deepEqual(fs.calls, [
    "unlink ACTIVE.tmp",
    "create ACTIVE.tmp",
    "write ACTIVE.tmp",
    "sync ACTIVE.tmp",
    "close ACTIVE.tmp",
    "rename ACTIVE.tmp ACTIVE",
    "syncDirectory wal",
  ]);
  assert.equal(content("ACTIVE"), "new");
  assert.deepEqual(memory.readDirectory("/wal"), ["ACTIVE"]);
});

test("replaceDurably creates what is missing, even empty, and clears a stale temporary file", () => {
  const { fs, content } = setUp({ "ACTIVE.tmp": "left behind by a crash, and longer" });
  replaceDurably(fs, "/wal", "ACTIVE", bytes("new"));
  assert.equal(content("ACTIVE"), "new");
  replaceDurably(fs, "/wal", "EMPTY", bytes(""));
  assert.equal(content("EMPTY"), "");
});

for (
  const failing of [
    "create ACTIVE.tmp",
    "write ACTIVE.tmp",
    "sync ACTIVE.tmp",
    "close ACTIVE.tmp",
    "rename ACTIVE.tmp ACTIVE",
  ]
) {
  test(`replaceDurably keeps the old file when this fails: ${failing}`, () => {
    const { fs, content, memory } = setUp({ ACTIVE: "old" });
    failAt(fs, failing);
    assert.throws(
      () => replaceDurably(fs, "/wal", "ACTIVE", bytes("new")),
      isIoError("EIO", failing),
    );
    assert.equal(content("ACTIVE"), "old");
    assert.deepEqual(memory.readDirectory("/wal"), ["ACTIVE"], "nothing is left behind");
    assert.equal(fs.calls.filter((call) => call === failing).length, 1, "nothing is tried again");
    const isRenamed = fs.calls.includes("rename ACTIVE.tmp ACTIVE");
    assert.equal(isRenamed, failing.startsWith("rename"), "a file not known whole gets no name");
  });
}

test("replaceDurably reports a failed sync of the directory, and does not try again", () => {
  const { fs } = setUp({ ACTIVE: "old" });
  failAt(fs, "syncDirectory wal");
  assert.throws(
    () => replaceDurably(fs, "/wal", "ACTIVE", bytes("new")),
    isIoError("EIO", "syncDirectory wal"),
  );
  assert.equal(fs.calls.at(-1), "syncDirectory wal");
});

test("replaceDurably reports the failure, not the one met while clearing up", () => {
  const { fs } = setUp();
  let unlinkCount = 0;
  fs.onCall = (call) => {
    if (call.startsWith("sync ") || (call.startsWith("unlink") && ++unlinkCount > 1)) {
      throw ioError("do", call, new SystemError("EIO", "input/output error"));
    }
  };
  assert.throws(
    () => replaceDurably(fs, "/wal", "ACTIVE", bytes("new")),
    isIoError("EIO", "sync ACTIVE.tmp"),
  );
  assert.equal(unlinkCount, 2);
});

test("removeDurably removes all, then syncs the directory, once", () => {
  const { fs, memory } = setUp({ a: "1", b: "2", c: "3" });
  removeDurably(fs, "/wal", ["a", "gone", "c"]);
  assert.deepEqual(fs.calls, ["unlink a", "unlink gone", "unlink c", "syncDirectory wal"]);
  assert.deepEqual(memory.readDirectory("/wal"), ["b"]);
  fs.calls.length = 0;
  removeDurably(fs, "/wal", []);
  assert.deepEqual(fs.calls, []);
});

test("removeDurablyAsync does the same, with what the file system has", async () => {
  const { fs, memory } = setUp({ a: "1", b: "2", c: "3", d: "4" });
  await removeDurablyAsync(fs, "/wal", ["a", "gone"]);
  assert.deepEqual(fs.calls, ["unlink a", "unlink gone", "syncDirectory wal"]);
  assert.deepEqual(memory.readDirectory("/wal"), ["b", "c", "d"]);
  const calls: string[] = [];
  const patient: FileSystem = Object.assign(Object.create(fs), {
    unlinkAsync: async (path: string) => {
      await Promise.resolve();
      calls.push(`unlink ${path}`);
      memory.unlink(path);
    },
    syncDirectoryAsync: async (path: string) => {
      await Promise.resolve();
      calls.push(`sync ${path}`);
    },
  });
  await removeDurablyAsync(patient, "/wal", ["b", "gone", "c"]);
  assert.deepEqual(calls, ["unlink /wal/b", "unlink /wal/gone", "unlink /wal/c", "sync /wal"]);
  assert.deepEqual(memory.readDirectory("/wal"), ["d"]);
  await removeDurablyAsync(patient, "/wal", []);
  assert.equal(calls.length, 4);
  failAt(fs, "unlink d");
  await assert.rejects(removeDurablyAsync(fs, "/wal", ["d"]), isIoError("EIO", "unlink d"));
});

test("removeDurably reports what could not be removed", () => {
  const { fs } = setUp({ a: "1" });
  failAt(fs, "unlink a");
  assert.throws(() => removeDurably(fs, "/wal", ["a"]), isIoError("EIO", "unlink a"));
  fs.onCall = () => {};
  failAt(fs, "syncDirectory wal");
  assert.throws(() => removeDurably(fs, "/wal", ["a"]), isIoError("EIO", "syncDirectory wal"));
});
