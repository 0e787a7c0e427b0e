/** What every file system must do. Run over each of them. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InvariantError } from "../../lib/assert.ts";
import { KvError, type KvErrorCode } from "../../lib/errors.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";

/** A file system to test, and an existing directory in it that is empty. */
export interface Subject extends Disposable {
  readonly fs: FileSystem;
  readonly root: string;
}

/** Matches a KvError with one line, naming `path`, whose cause has the system's `code`. */
export function isIoError(code: string | RegExp, path: string, kvCode: KvErrorCode = "Io") {
  return (error: unknown): true => {
    assert.ok(error instanceof KvError, `a KvError, not ${error}`);
    assert.equal(error.code, kvCode);
    assert.equal(error.path, path);
    const causeCode = (error.cause as { code?: string }).code ?? "none";
    if (typeof code === "string") assert.equal(causeCode, code);
    else assert.match(causeCode, code);
    assert.ok(error.message.includes(path), error.message);
    assert.ok(error.message.startsWith("Cannot "), error.message);
    assert.ok(!error.message.includes("\n"), error.message);
    return true;
  };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (content: string) => new TextEncoder().encode(content);

function writeNew(fs: FileSystem, path: string, content: string): void {
  const file = fs.open(path, "create");
  const data = bytes(content);
  assert.equal(file.write(data, 0, data.length, 0), data.length);
  file.close();
}

function contentOf(fs: FileSystem, path: string): string {
  const file = fs.open(path, "read");
  const buffer = new Uint8Array(file.size());
  assert.equal(file.read(buffer, 0, buffer.length, 0), buffer.length);
  file.close();
  return text(buffer);
}

/** Defines the suite for the file system that `make` makes. */
export function fileSystemContract(name: string, make: () => Subject): void {
  describe(name, () => {
    filesKeepTheirBytes(make);
    filesAreChecked(make);
    namesAreChecked(make);
    directoriesAreChecked(make);
    locksExclude(make);
  });
}

function filesKeepTheirBytes(make: () => Subject): void {
  test("a new file is empty, and keeps what is written", () => {
    using subject = make();
    const { fs, root } = subject;
    const file = fs.open(`${root}/f`, "create");
    assert.equal(file.path, `${root}/f`);
    assert.equal(file.size(), 0);
    assert.equal(file.write(bytes("xxhello"), 2, 5, 0), 5);
    assert.equal(file.size(), 5);
    file.sync();
    file.close();
    assert.equal(contentOf(fs, `${root}/f`), "hello");
    assert.deepEqual(fs.stat(`${root}/f`), { kind: "file", size: 5 });
  });

  test("reads are positioned, go where asked, and end with the file", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "0123456789");
    const file = fs.open(`${root}/f`, "read");
    const buffer = bytes("----------");
    assert.equal(file.read(buffer, 2, 3, 4), 3);
    assert.equal(text(buffer), "--456-----");
    assert.equal(file.read(buffer, 0, 10, 8), 2, "a short file gives what it has");
    assert.equal(text(buffer), "89456-----");
    assert.equal(file.read(buffer, 0, 10, 10), 0, "the end is no error");
    assert.equal(file.read(buffer, 0, 10, 1000), 0);
    assert.equal(file.read(buffer, 0, 0, 0), 0);
    file.close();
  });

  test("asynchronous calls do the same", async () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "0123456789");
    const file = fs.open(`${root}/f`, "write");
    const buffer = bytes("------");
    assert.equal(await file.readAsync(buffer, 1, 4, 3), 4);
    assert.equal(text(buffer), "-3456-");
    assert.equal(await file.readAsync(buffer, 0, 6, 8), 2);
    assert.equal(await file.readAsync(buffer, 0, 6, 10), 0);
    assert.equal(await file.syncAsync(), undefined);
    file.close();
  });

  test("writes overwrite, extend, and leave zeros in between", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "abc");
    const file = fs.open(`${root}/f`, "write");
    file.write(bytes("X"), 0, 1, 1);
    file.write(bytes("Z"), 0, 1, 5);
    assert.equal(file.write(bytes("none"), 0, 0, 99), 0);
    assert.equal(file.size(), 6);
    file.close();
    assert.equal(contentOf(fs, `${root}/f`), "aXc\0\0Z");
  });

  test("truncate cuts, and what was cut does not come back", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "secret");
    const file = fs.open(`${root}/f`, "write");
    file.truncate(2);
    assert.equal(file.size(), 2);
    file.truncate(4);
    assert.equal(contentOf(fs, `${root}/f`), "se\0\0");
    file.truncate(0);
    file.write(bytes("!"), 0, 1, 3);
    assert.equal(contentOf(fs, `${root}/f`), "\0\0\0!");
    file.truncate(100_000);
    assert.equal(file.size(), 100_000);
    file.close();
  });

  test("two descriptors see one file", () => {
    using subject = make();
    const { fs, root } = subject;
    const writer = fs.open(`${root}/f`, "create");
    const reader = fs.open(`${root}/f`, "read");
    writer.write(bytes("new"), 0, 3, 0);
    const buffer = new Uint8Array(3);
    assert.equal(reader.read(buffer, 0, 3, 0), 3);
    assert.equal(text(buffer), "new");
    writer.close();
    reader.close();
  });
}

function filesAreChecked(make: () => Subject): void {
  test("a file opened for reading refuses changes", () => {
    using subject = make();
    const { fs, root } = subject;
    const path = `${root}/f`;
    writeNew(fs, path, "safe");
    const file = fs.open(path, "read");
    assert.throws(() => file.write(bytes("x"), 0, 1, 0), isIoError("EBADF", path));
    assert.throws(() => file.truncate(0), isIoError(/^E(INVAL|BADF)$/, path));
    file.close();
    assert.equal(contentOf(fs, path), "safe");
  });

  test("a closed file refuses everything but being closed again", async () => {
    using subject = make();
    const { fs, root } = subject;
    const path = `${root}/f`;
    const file = fs.open(path, "create");
    file.close();
    file.close();
    const closed = isIoError("EBADF", path);
    // Something else now has the descriptor, and must not notice.
    const other = fs.open(`${root}/g`, "create");
    assert.throws(() => file.read(new Uint8Array(1), 0, 1, 0), closed);
    assert.throws(() => file.write(bytes("x"), 0, 1, 0), closed);
    assert.throws(() => file.sync(), closed);
    assert.throws(() => file.truncate(5), closed);
    assert.throws(() => file.size(), closed);
    await assert.rejects(file.readAsync(new Uint8Array(1), 0, 1, 0), closed);
    await assert.rejects(file.syncAsync(), closed);
    assert.equal(other.size(), 0);
    other.close();
  });

  test("ranges outside the buffer or the file are defects of the caller", () => {
    using subject = make();
    const { fs, root } = subject;
    const file = fs.open(`${root}/f`, "create");
    const buffer = new Uint8Array(4);
    const ranges = [[0, 5, 0], [4, 1, 0], [-1, 1, 0], [0, -1, 0], [0, 1, -1], [0, 1, 0.5], [
      0,
      1,
      NaN,
    ], [0, 1, 2 ** 53]] as const;
    for (const [offset, length, position] of ranges) {
      assert.throws(() => file.read(buffer, offset, length, position), InvariantError);
      assert.throws(() => file.readAsync(buffer, offset, length, position), InvariantError);
      assert.throws(() => file.write(buffer, offset, length, position), InvariantError);
    }
    assert.throws(() => file.truncate(-1), InvariantError);
    assert.throws(() => file.truncate(1.5), InvariantError);
    assert.equal(file.size(), 0);
    file.close();
  });
}

function namesAreChecked(make: () => Subject): void {
  test("open says what is missing, in the way, or not a file", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "x");
    fs.makeDirectory(`${root}/d`);
    for (const mode of ["read", "write"] as const) {
      assert.throws(() => fs.open(`${root}/no`, mode), isIoError("ENOENT", `${root}/no`));
      assert.throws(() => fs.open(`${root}/d`, mode), isIoError("EISDIR", `${root}/d`));
      assert.throws(() => fs.open(`${root}/f/x`, mode), isIoError("ENOTDIR", `${root}/f/x`));
    }
    assert.throws(() => fs.open(`${root}/f`, "create"), isIoError("EEXIST", `${root}/f`));
    assert.throws(() => fs.open(`${root}/d`, "create"), isIoError("EEXIST", `${root}/d`));
    assert.throws(() => fs.open(`${root}/no/f`, "create"), isIoError("ENOENT", `${root}/no/f`));
    assert.equal(contentOf(fs, `${root}/f`), "x");
  });

  test("stat tells files from directories from nothing", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "12345");
    assert.deepEqual(fs.stat(`${root}/f`), { kind: "file", size: 5 });
    assert.deepEqual(fs.stat(root), { kind: "directory", size: 0 });
    assert.equal(fs.stat(`${root}/no`), undefined);
    assert.equal(fs.stat(`${root}/no/no`), undefined);
    assert.equal(fs.stat(`${root}/f/x`), undefined);
  });

  test("rename moves, and replaces what had the name", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/old`, "old");
    writeNew(fs, `${root}/new`, "new");
    const reader = fs.open(`${root}/old`, "read");
    fs.rename(`${root}/new`, `${root}/old`);
    assert.equal(contentOf(fs, `${root}/old`), "new");
    assert.equal(fs.stat(`${root}/new`), undefined);
    const buffer = new Uint8Array(3);
    reader.read(buffer, 0, 3, 0);
    assert.equal(text(buffer), "old", "who has the old file open keeps it");
    reader.close();
    fs.rename(`${root}/old`, `${root}/old`);
    assert.equal(contentOf(fs, `${root}/old`), "new");
    fs.makeDirectory(`${root}/d/e`);
    fs.rename(`${root}/d`, `${root}/d`);
    fs.rename(`${root}/old`, `${root}/d/e/f`);
    fs.rename(`${root}/d`, `${root}/moved`);
    assert.equal(contentOf(fs, `${root}/moved/e/f`), "new");
  });

  test("rename refuses what makes no sense", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "x");
    fs.makeDirectory(`${root}/d/e`);
    const rename = (from: string, to: string) => () =>
      fs.rename(`${root}/${from}`, `${root}/${to}`);
    assert.throws(rename("no", "x"), isIoError("ENOENT", `${root}/x`));
    assert.throws(rename("f", "no/f"), isIoError("ENOENT", `${root}/no/f`));
    assert.throws(rename("f", "d"), isIoError("EISDIR", `${root}/d`));
    assert.throws(rename("d", "f"), isIoError("ENOTDIR", `${root}/f`));
    assert.throws(rename("d", "d/e/x"), isIoError("EINVAL", `${root}/d/e/x`));
    fs.makeDirectory(`${root}/empty`);
    assert.throws(rename("empty", "d"), isIoError(/^E(NOTEMPTY|EXIST)$/, `${root}/d`));
    assert.deepEqual(fs.readDirectory(root).sort(), ["d", "empty", "f"]);
  });

  test("unlink removes a file, whoever has it open keeps it", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "still here");
    const file = fs.open(`${root}/f`, "write");
    fs.unlink(`${root}/f`);
    assert.equal(fs.stat(`${root}/f`), undefined);
    assert.throws(() => fs.open(`${root}/f`, "read"), isIoError("ENOENT", `${root}/f`));
    writeNew(fs, `${root}/f`, "another");
    const buffer = new Uint8Array(10);
    assert.equal(file.read(buffer, 0, 10, 0), 10);
    assert.equal(text(buffer), "still here");
    file.write(bytes("!"), 0, 1, 10);
    assert.equal(file.size(), 11);
    file.close();
    assert.equal(contentOf(fs, `${root}/f`), "another");
  });

  test("what goes without blocking does the same", async () => {
    using subject = make();
    const { fs, root } = subject;
    if (fs.unlinkAsync === undefined || fs.syncDirectoryAsync === undefined) {
      return assert.equal(fs.syncDirectoryAsync, fs.unlinkAsync);
    }
    fs.makeDirectory(`${root}/d`);
    fs.open(`${root}/f`, "create").close();
    await fs.unlinkAsync(`${root}/f`);
    assert.equal(fs.stat(`${root}/f`), undefined);
    await assert.rejects(fs.unlinkAsync(`${root}/no`), isIoError("ENOENT", `${root}/no`));
    await assert.rejects(fs.unlinkAsync(`${root}/d`), isIoError("EISDIR", `${root}/d`));
    assert.equal(fs.stat(`${root}/d`)?.kind, "directory");
    await fs.syncDirectoryAsync(`${root}/d`);
    await assert.rejects(fs.syncDirectoryAsync(`${root}/no`), isIoError("ENOENT", `${root}/no`));
  });

  test("unlink refuses what is missing and directories, even empty ones", () => {
    using subject = make();
    const { fs, root } = subject;
    fs.makeDirectory(`${root}/d`);
    assert.throws(() => fs.unlink(`${root}/no`), isIoError("ENOENT", `${root}/no`));
    assert.throws(() => fs.unlink(`${root}/d`), isIoError("EISDIR", `${root}/d`));
    assert.deepEqual(fs.stat(`${root}/d`), { kind: "directory", size: 0 });
  });
}

function directoriesAreChecked(make: () => Subject): void {
  test("makeDirectory makes the missing ones, and is content with what exists", () => {
    using subject = make();
    const { fs, root } = subject;
    fs.makeDirectory(`${root}/a/b/c`);
    fs.makeDirectory(`${root}/a/b/c`);
    fs.makeDirectory(`${root}/a/b/d/`);
    assert.deepEqual(fs.readDirectory(`${root}/a/b`).sort(), ["c", "d"]);
    assert.deepEqual(fs.readDirectory(`${root}/a/b/c`), []);
  });

  test("makeDirectory names the file in its way", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "x");
    assert.throws(() => fs.makeDirectory(`${root}/f`), isIoError("ENOTDIR", `${root}/f`));
    assert.throws(
      () => fs.makeDirectory(`${root}/f/a/b`),
      (error) => isIoError("ENOTDIR", `${root}/f/a/b`)(error) && /not a directory/.test(`${error}`),
    );
    assert.equal(contentOf(fs, `${root}/f`), "x");
  });

  test("readDirectory and syncDirectory want a directory", () => {
    using subject = make();
    const { fs, root } = subject;
    writeNew(fs, `${root}/f`, "x");
    fs.syncDirectory(root);
    for (const method of ["readDirectory", "syncDirectory"] as const) {
      assert.throws(() => fs[method](`${root}/no`), isIoError("ENOENT", `${root}/no`));
      assert.throws(() => fs[method](`${root}/f`), isIoError("ENOTDIR", `${root}/f`));
    }
  });

  test("a message stays on one line, whatever the file is called", () => {
    using subject = make();
    assert.throws(() => subject.fs.open(`${subject.root}/a\nb\x1b[31m`, "read"), (error) => {
      assert.match((error as Error).message, /a\\u000ab\\u001b\[31m/);
      return true;
    });
  });
}

function locksExclude(make: () => Subject): void {
  test("a lock excludes a second one until it is released", () => {
    using subject = make();
    const { fs, root } = subject;
    const first = fs.lock(`${root}/LOCK`);
    assert.ok(first);
    assert.deepEqual(fs.stat(`${root}/LOCK`), { kind: "file", size: 0 });
    assert.equal(fs.lock(`${root}/LOCK`), undefined);
    assert.equal(fs.lock(`${root}/./LOCK`), undefined, "by any name");
    const elsewhere = fs.lock(`${root}/LOCK2`);
    assert.ok(elsewhere);
    first.release();
    const second = fs.lock(`${root}/LOCK`);
    assert.ok(second);
    first.release();
    assert.equal(fs.lock(`${root}/LOCK`), undefined, "a second release gives nothing away");
    second.release();
    elsewhere.release();
    assert.deepEqual(fs.stat(`${root}/LOCK`), { kind: "file", size: 0 }, "the file stays");
  });

  test("reading, writing and closing the lock file do not give the lock away", () => {
    using subject = make();
    const { fs, root } = subject;
    const lock = fs.lock(`${root}/LOCK`);
    assert.ok(lock);
    fs.open(`${root}/LOCK`, "write").close();
    assert.equal(fs.lock(`${root}/LOCK`), undefined);
    lock.release();
  });

  test("a lock wants a regular file in a directory that exists", () => {
    using subject = make();
    const { fs, root } = subject;
    fs.makeDirectory(`${root}/d`);
    assert.throws(() => fs.lock(`${root}/d`), isIoError("EISDIR", `${root}/d`));
    assert.throws(() => fs.lock(`${root}/no/LOCK`), isIoError("ENOENT", `${root}/no/LOCK`));
  });
}
