import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { ioError, SystemError, systemErrorCode } from "../../lib/fs/io_error.ts";
import { testUnless } from "../support/test_unless.ts";

test("a full disk or quota is NoSpace, everything else Io", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    const error = ioError("write", "/data/1.log", new SystemError(code, "full"));
    assert.equal(error.code, "NoSpace");
    assert.match(error.message, /^Cannot write \/data\/1\.log: .*free some space.* \(E[A-Z]+\)$/);
  }
  for (const code of ["EIO", "EROFS", "EACCES", "EPERM", "ENOENT", "EMFILE", "EBADF"]) {
    const cause = new SystemError(code, "no luck");
    const error = ioError("open", "/data/1.log", cause);
    assert.equal(error.code, "Io");
    assert.equal(error.cause, cause);
    assert.equal(error.path, "/data/1.log");
    assert.ok(error.message.startsWith("Cannot open /data/1.log: "), error.message);
    assert.ok(error.message.endsWith(` (${code})`), error.message);
  }
});

test("refusals say what to do", () => {
  const message = (code: string) => ioError("open", "/d", new SystemError(code, "x")).message;
  assert.match(message("EACCES"), /permission denied; run as/);
  assert.match(message("EPERM"), /run as/);
  assert.match(message("EROFS"), /read-only; remount/);
  assert.match(message("EMFILE"), /ulimit -n/);
});

test("every runtime's wording becomes the same", () => {
  const shapes = [
    Object.assign(new Error("EIO: input/output error, read"), { code: "EIO" }),
    Object.assign(new Error("EIO: input/output error, open '/d/a, b'"), { code: "EIO" }),
    Object.assign(new Error("EIO: input/output error, rename '/a' -> '/b'"), { code: "EIO" }),
    Object.assign(new Error("input/output error (os error 5)"), { code: "EIO" }),
    Object.assign(new Error("input/output error (os error 5), open '/d'"), { code: "EIO" }),
    new SystemError("EIO", "input/output error"),
  ];
  for (const shape of shapes) {
    assert.equal(ioError("read", "/d", shape).message, "Cannot read /d: input/output error (EIO)");
  }
});

test("Deno's classes are known by name where they carry no code", () => {
  const denoError = (name: string) => Object.assign(new Error("text"), { name });
  assert.equal(systemErrorCode(denoError("NotFound")), "ENOENT");
  assert.equal(systemErrorCode(denoError("AlreadyExists")), "EEXIST");
  assert.equal(systemErrorCode(denoError("PermissionDenied")), "EACCES");
  const refused = ioError("open", "/d", Object.assign(denoError("NotCapable"), { code: "EACCES" }));
  assert.equal(refused.code, "Io");
  assert.match(refused.message, /--allow-read and --allow-write/);
});

test("what is not a system error is kept all the same", () => {
  assert.equal(ioError("read", "/d", "odd").message, "Cannot read /d: odd");
  assert.equal(ioError("read", "/d", new Error("")).message, "Cannot read /d: Error");
  assert.equal(systemErrorCode(undefined), undefined);
  const error = new KvError("Locked", "taken");
  assert.equal(ioError("read", "/d", error), error);
  assert.equal(systemErrorCode(ioError("read", "/d", new SystemError("EIO", "x"))), "EIO");
});

testUnless(
  existsSync("/dev/full") ? undefined : "no /dev/full here",
  "this runtime's own report of a full disk is understood",
  () => {
    const fd = openSync("/dev/full", "r+");
    try {
      writeSync(fd, new Uint8Array(1), 0, 1, 0);
      assert.fail("/dev/full took a byte");
    } catch (error) {
      assert.equal(ioError("write", "/dev/full", error).code, "NoSpace");
    } finally {
      closeSync(fd);
    }
  },
);
