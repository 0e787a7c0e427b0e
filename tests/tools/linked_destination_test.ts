/** Destinations that lie in the source, though their names do not say so. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import process from "node:process";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { failsWith } from "../support/kv_error.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const onWindows = process.platform === "win32" ? "links need a privilege there" : undefined;

/** Names in a directory and below it. */
function namesIn(path: string): string[] {
  return readdirSync(path, { recursive: true }).map(String).sort();
}

testUnless(onWindows, "repair, backup, restore: a link into the source is no way out", async () => {
  using directory = new TemporaryDirectory();
  const shop = directory.join("shop");
  const linked = directory.join("linked");
  await using store = await KvStore.open(shop);
  await store.set("a", "1");
  await store.backup(directory.join("copy"));
  symlinkSync(shop, linked);
  mkdirSync(directory.join("shop/sub"));
  symlinkSync(directory.join("shop/sub"), directory.join("below"));
  const before = namesIn(shop);
  for (const out of ["linked/new", "linked/new/deeper", "below/new", "shop/new"]) {
    const destination = directory.join(out);
    await failsWith("InvalidArgument", /only read/, () => store.backup(destination));
    for (const source of [shop, linked]) {
      await failsWith("InvalidArgument", /only read/, () => KvStore.repair(source, destination));
      await failsWith("InvalidArgument", /only read/, () => KvStore.restore(source, destination));
    }
  }
  assert.deepEqual(namesIn(shop), before);
  // A link elsewhere is a place like any other.
  mkdirSync(directory.join("disk"));
  symlinkSync(directory.join("disk"), directory.join("mount"));
  await store.backup(directory.join("mount/copy"));
  assert.deepEqual(readdirSync(directory.join("disk")), ["copy"]);
});

testUnless(onWindows, "a real path: links are followed as far as the path exists", () => {
  using directory = new TemporaryDirectory();
  const real = (path: string) => nodeFileSystem.realPath(path);
  const root = real(directory.path);
  mkdirSync(directory.join("a/b"), { recursive: true });
  symlinkSync(directory.join("a"), directory.join("link"));
  symlinkSync(directory.join("nowhere"), directory.join("dangling"));
  assert.equal(real(directory.join("link/b")), `${root}/a/b`);
  assert.equal(real(directory.join("link/b/x/y")), `${root}/a/b/x/y`);
  assert.equal(real(directory.join("dangling/x")), `${root}/dangling/x`);
  assert.equal(real("/"), "/");
});
