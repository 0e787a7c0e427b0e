import assert from "node:assert/strict";
import { lstatSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { hasMode, requireRegularFile, requireSameFile } from "../../lib/fs/descriptor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

testUnless(
  process.platform === "win32" ? "Windows reports ids unreliably" : undefined,
  "a file that took another's place is noticed",
  () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.join("a"), "");
    writeFileSync(directory.join("b"), "");
    const a = lstatSync(directory.join("a"), { bigint: true });
    const b = lstatSync(directory.join("b"), { bigint: true });
    requireSameFile(a, a);
    requireSameFile(a, { dev: Number(a.dev), ino: Number(a.ino) });
    assert.throws(() => requireSameFile(a, b), { code: "ESTALE" });
    assert.throws(() => requireSameFile(a, { dev: a.dev + 1n, ino: a.ino }), { code: "ESTALE" });
  },
);

test("only regular files pass", () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join("f"), "");
  requireRegularFile(lstatSync(directory.join("f"), { bigint: true }));
  const stat = lstatSync(directory.path, { bigint: true });
  assert.throws(() => requireRegularFile(stat), { code: "EISDIR" });
});

testUnless(
  process.platform === "win32" ? "Windows has no modes" : undefined,
  "modes are compared without the type of the file",
  () => {
    assert.ok(hasMode(0o100600, 0o600));
    assert.ok(!hasMode(0o100640, 0o600));
    assert.ok(hasMode(0o100600n, 0o600));
  },
);
