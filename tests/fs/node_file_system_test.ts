import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { defaultFileSystem } from "../../lib/fs/default.ts";
import { nodeFileSystem as fs } from "../../lib/fs/node_file_system.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { fileSystemContract, isIoError } from "./file_system_contract.ts";

fileSystemContract("nodeFileSystem", () => {
  const directory = new TemporaryDirectory();
  return { fs, root: directory.path, [Symbol.dispose]: () => directory[Symbol.dispose]() };
});

const onWindows = process.platform === "win32" ? "Windows has no such thing" : undefined;
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("it is the default", () => assert.equal(defaultFileSystem, fs));

test("a file above a directory to be made is named", () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join("f"), "");
  assert.throws(() => fs.makeDirectory(directory.join("f/a/b")), (error) => {
    return `${error}`.includes(`: ${directory.join("f")} is not a directory`);
  });
});

for (const umask of [0o000, 0o022, 0o077, 0o777]) {
  testUnless(onWindows, `modes are 0600 and 0700 under umask ${umask.toString(8)}`, () => {
    using directory = new TemporaryDirectory();
    const before = process.umask(umask);
    try {
      fs.makeDirectory(directory.join("a/b"));
      fs.open(directory.join("a/b/f"), "create").close();
      fs.lock(directory.join("a/b/LOCK"))?.release();
    } finally {
      process.umask(before);
    }
    assert.equal(modeOf(directory.join("a")), "700");
    assert.equal(modeOf(directory.join("a/b")), "700");
    assert.equal(modeOf(directory.join("a/b/f")), "600");
    assert.equal(modeOf(directory.join("a/b/LOCK")), "600");
  });
}

testUnless(onWindows, "a symbolic link is never followed to a file", () => {
  using directory = new TemporaryDirectory();
  const link = directory.join("link");
  writeFileSync(directory.join("target"), "precious");
  symlinkSync("target", link);
  symlinkSync("nowhere", directory.join("dangling"));
  assert.deepEqual(fs.stat(link), { kind: "symlink", size: 0 });
  assert.throws(() => fs.open(link, "read"), isIoError("ELOOP", link));
  assert.throws(() => fs.open(link, "write"), isIoError("ELOOP", link));
  assert.throws(() => fs.open(link, "create"), isIoError("EEXIST", link));
  assert.throws(() => fs.lock(link), isIoError("ELOOP", link));
  const dangling = directory.join("dangling");
  assert.throws(() => fs.open(dangling, "create"), isIoError("EEXIST", dangling));
  assert.throws(() => fs.lock(dangling), isIoError("ELOOP", dangling));
  assert.throws(() => fs.makeDirectory(dangling), isIoError("EEXIST", dangling));
  assert.equal(existsSync(directory.join("nowhere")), false);
  fs.unlink(link);
  assert.equal(readFileSync(directory.join("target"), "utf8"), "precious");
});

testUnless(onWindows, "a directory may be reached through a symbolic link", () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.join("disk"));
  symlinkSync("disk", directory.join("data"));
  fs.makeDirectory(directory.join("data"));
  fs.makeDirectory(directory.join("data/wal"));
  fs.syncDirectory(directory.join("data"));
  assert.ok(statSync(directory.join("disk/wal")).isDirectory());
});

testUnless(onWindows, "a FIFO or a socket is not opened, and not waited for", async () => {
  using directory = new TemporaryDirectory();
  assert.equal(spawnSync("mkfifo", [directory.join("fifo")]).status, 0);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(directory.join("socket"), resolve));
  for (const path of [directory.join("fifo"), directory.join("socket")]) {
    assert.deepEqual(fs.stat(path), { kind: "other", size: 0 });
    assert.throws(() => fs.open(path, "read"), isIoError("EINVAL", path));
    assert.throws(() => fs.open(path, "write"), isIoError("EINVAL", path));
    assert.throws(() => fs.open(path, "create"), isIoError("EEXIST", path));
    assert.throws(() => fs.lock(path), isIoError("EINVAL", path));
  }
  await new Promise((resolve) => server.close(resolve));
});

/** A directory in which nothing can be created, even by root. */
function unwritableDirectory(directory: TemporaryDirectory): string | undefined {
  if (process.getuid?.() === 0) return existsSync("/sys/kernel") ? "/sys/kernel" : undefined;
  mkdirSync(directory.join("locked"));
  chmodSync(directory.join("locked"), 0o500);
  return directory.join("locked");
}

const unwritableReason = (() => {
  using directory = new TemporaryDirectory();
  return onWindows ??
    (unwritableDirectory(directory) === undefined ? "root, and no /sys here" : undefined);
})();

testUnless(unwritableReason, "an unwritable directory is refused with advice", () => {
  using directory = new TemporaryDirectory();
  const path = `${unwritableDirectory(directory)}/cairn`;
  const refused = (error: unknown) => {
    assert.match(`${error}`, /run as the user|choose another directory/);
    return isIoError(/^E(ACCES|PERM|ROFS)$/, path)(error);
  };
  assert.throws(() => fs.makeDirectory(path), refused);
  assert.throws(() => fs.open(path, "create"), refused);
  assert.throws(() => fs.lock(path), refused);
});

test("a file may be longer than 4 GiB", () => {
  using directory = new TemporaryDirectory();
  const file = fs.open(directory.join("f"), "create");
  const position = 2 ** 32 + 5;
  assert.equal(file.write(new Uint8Array([7]), 0, 1, position), 1);
  assert.equal(file.size(), position + 1);
  const buffer = new Uint8Array(2);
  assert.equal(file.read(buffer, 0, 2, position), 1);
  assert.equal(buffer[0], 7);
  file.close();
});

test("closing waits for the calls in flight, so none meets another file's descriptor", async () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join("mine"), new Uint8Array(1 << 16).fill(1));
  writeFileSync(directory.join("other"), new Uint8Array(1 << 16).fill(2));
  for (let round = 0; round < 20; round++) {
    const file = fs.open(directory.join("mine"), "write");
    const buffers = Array.from({ length: 16 }, () => new Uint8Array(1 << 16));
    const reads = buffers.map((buffer) => file.readAsync(buffer, 0, buffer.length, 0));
    const sync = file.syncAsync();
    file.close();
    const others = Array.from({ length: 4 }, () => fs.open(directory.join("other"), "read"));
    assert.deepEqual(new Set(await Promise.all(reads)), new Set([1 << 16]));
    await sync;
    for (const buffer of buffers) assert.ok(buffer[0] === 1 && buffer.at(-1) === 1);
    for (const other of others) other.close();
  }
});

testUnless(
  process.platform === "linux" ? undefined : "needs /proc",
  "no descriptor is left behind, whether calls succeed or fail",
  async () => {
    using directory = new TemporaryDirectory();
    const openCount = () => readdirSync("/proc/self/fd").length;
    symlinkSync("f", directory.join("link"));
    const busy = fs.lock(directory.join("BUSY"));
    const before = openCount();
    for (let round = 0; round < 10; round++) {
      const path = directory.join(`f${round}`);
      const file = fs.open(path, "create");
      const sync = file.syncAsync();
      file.close();
      await sync;
      fs.open(path, "read").close();
      fs.syncDirectory(directory.path);
      fs.makeDirectory(directory.join("x", `${round}`));
      fs.lock(directory.join("LOCK"))?.release();
      assert.equal(fs.lock(directory.join("BUSY")), undefined);
      assert.throws(() => fs.open(path, "create"));
      assert.throws(() => fs.open(directory.join("link"), "write"));
      assert.throws(() => fs.lock(directory.join("link")));
      assert.throws(() => fs.syncDirectory(path));
    }
    assert.equal(openCount(), before);
    busy?.release();
  },
);

testUnless(
  existsSync("/proc/self") ? undefined : "needs /proc",
  "a directory on a file system that cannot sync directories is no error",
  () => fs.syncDirectory("/proc"),
);
