/** Stores that earlier versions wrote are read, verified and written to by this one. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Entry, OpenOptions } from "../../lib/store/types.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { assertExact, scanAll, text } from "../support/test_store.ts";

const ROOT = fileURLToPath(new URL("./", import.meta.url));

interface Expected {
  truncatedBytes: number;
  version: number;
  entries: (Omit<Entry, "value"> & { value: string })[];
}

const asListed = (entries: Entry[]) =>
  entries.map(({ value, ...entry }) => ({ ...entry, value: Buffer.from(value).toString("hex") }));

const versions = readdirSync(ROOT).filter((name) => /^v\d+$/.test(name));

test("there are golden directories of every format version", () => {
  assert.deepEqual(versions, ["v1"]);
  for (const version of versions) {
    assert(readdirSync(`${ROOT}${version}`).filter((name) => name.endsWith(".json")).length >= 8);
  }
});

for (const version of versions) {
  const directory = `${ROOT}${version}/`;
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
    const name = file.slice(0, -".json".length);
    const expected: Expected = JSON.parse(readFileSync(directory + file, "utf8"));

    test(`${version}/${name}: opened, verified, written to, compacted, reopened`, async () => {
      using temporary = new TemporaryDirectory();
      const path = temporary.join("store");
      cpSync(directory + name, path, { recursive: true });
      const report = await KvStore.verify(path);
      assert.deepEqual(report.problems, []);
      assert.equal(report.tornBytes, expected.truncatedBytes);
      const options: OpenOptions = { compaction: { auto: false }, segmentBytesMax: 4096 };
      {
        await using store = await KvStore.open(path, { ...options, readOnly: true });
        assert.deepEqual(asListed(await scanAll(store)), expected.entries);
      }
      const hints = readdirSync(`${path}/wal`).filter((name) => name.endsWith(".hint"));
      {
        await using store = await KvStore.open(path, options);
        assert.deepEqual(asListed(await scanAll(store)), expected.entries);
        const { replay, version } = store.stats();
        assert.equal(version, expected.version);
        assert.equal(replay.truncatedBytes, expected.truncatedBytes);
        assert.equal(replay.hints, hints.length);
        for (const { key, value } of expected.entries) {
          assert.equal(Buffer.from((await store.get(key))!).toString("hex"), value);
        }
        await assertExact(store, nodeFileSystem);
        assert.deepEqual(await store.set("written later", "yes"), {
          version: version + 1,
          created: true,
        });
        const first = expected.entries[0];
        if (first !== undefined) await store.delete(first.key);
      }
      const remaining = expected.entries.slice(1);
      {
        await using store = await KvStore.open(path, options);
        assert.equal(text(await store.get("written later")), "yes");
        await store.delete("written later");
        await store.compact();
        assert.deepEqual(asListed(await scanAll(store)), remaining);
        await assertExact(store, nodeFileSystem);
      }
      await using store = await KvStore.open(path, options);
      assert.deepEqual(asListed(await scanAll(store)), remaining);
      assert.deepEqual((await KvStore.verify(path)).problems, []);
    });
  }
}
