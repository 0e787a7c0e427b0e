/**
 * Writes the golden directories: stores of one format version, to be opened by every later Cairn.
 * No test runs this. It is for the day when a format version is new: run it then, once, with
 * `deno run -A tests/golden/create.ts`, and commit what it made. Directories of versions that were
 * released stay as they are.
 */

import { Buffer } from "node:buffer";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FORMAT_VERSION } from "../../lib/format/record.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { TestClock } from "../support/test_clock.ts";
import { openInMemory, PATH, pattern, scanAll, until } from "../support/test_store.ts";

const ROOT = fileURLToPath(new URL(`v${FORMAT_VERSION}/`, import.meta.url));
/** 10 September 2245: golden values do not expire while anybody runs the tests. */
const FAR_FUTURE = 8_700_000_000_000;

/** One golden directory. */
interface Golden {
  options?: OpenOptions;
  write: (store: KvStore, clock: TestClock, fs: MemoryFileSystem) => Promise<void>;
  /** Take the files while the store is open, as a killed process leaves them. */
  unclean?: boolean;
  /** Bytes of a last write that was cut short. */
  torn?: Uint8Array;
}

const small: OpenOptions = { segmentBytesMax: 4096 };

const goldens: Record<string, Golden> = {
  "empty": { write: async () => {} },
  "plain": {
    write: async (store) => {
      await store.set("greeting", "hello");
      await store.set("binary", pattern(256, 1));
      await store.set("empty", "");
      await store.set("schlüssel 鍵 🔑", "grüße 世界 😀");
      await store.set("\u0000", "zero");
      await store.set("long key " + "k".repeat(1000), "v");
      await store.set("greeting", "hello again");
    },
  },
  "batches": {
    write: async (store) => {
      await store.set("a", "0");
      await store.batch([
        { op: "set", key: "a", value: "1" },
        { op: "set", key: "b", value: "1" },
        { op: "del", key: "missing" },
      ]);
      await Promise.all([
        store.batch([{ op: "del", key: "b" }, { op: "set", key: "c", value: "2" }]),
        store.batch([{ op: "set", key: "d", value: "3" }, { op: "set", key: "d", value: "4" }]),
      ]);
      await store.batch([{ op: "set", key: "single", value: "5" }]);
    },
  },
  "expiring": {
    write: async (store, clock) => {
      await store.set("for ever", "1");
      await store.set("far future", "2", { expiresAt: FAR_FUTURE });
      await store.set("last moment", "3", { expiresAt: 8_640_000_000_000_000 });
      await store.set("over", "old");
      await store.set("over", "4", { ttl: 1000 });
      clock.advance(2000);
    },
  },
  "tombstones": {
    options: small,
    write: async (store) => {
      for (let i = 0; i < 30; i++) await store.set(`key ${i}`, pattern(300, i));
      for (let i = 0; i < 30; i += 2) await store.delete(`key ${i}`);
      await store.set("key 0", "back");
    },
  },
  "compacted": {
    options: small,
    write: async (store, _, fs) => {
      for (let i = 0; i < 60; i++) await store.set(`key ${i % 25}`, pattern(200, i));
      await store.set("expiring", "x", { expiresAt: FAR_FUTURE });
      for (let i = 0; i < 25; i += 5) await store.delete(`key ${i}`);
      await store.compact();
      for (let i = 0; i < 20; i++) await store.set(`newer ${i}`, pattern(300, i));
      await store.delete("key 1");
      const hints = () => fs.readDirectory(`${PATH}/wal`).filter((name) => name.endsWith(".hint"));
      await until("hints are written", () => hints().length === store.stats().segments - 1);
    },
  },
  "unclean": {
    options: small,
    unclean: true,
    write: async (store) => {
      for (let i = 0; i < 20; i++) await store.set(`key ${i}`, pattern(300, i));
      await Promise.all([store.set("a", "1"), store.delete("key 3"), store.set("b", "2")]);
    },
  },
  "torn_tail": {
    unclean: true,
    torn: Uint8Array.of(0xf1, 0x43, 0x52, 0x4e, 1, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0),
    write: async (store) => {
      for (let i = 0; i < 5; i++) await store.set(`key ${i}`, `value ${i}`);
    },
  },
};

/** What a scan of the store must yield. */
async function listing(store: KvStore): Promise<unknown> {
  const entries = await scanAll(store);
  return {
    version: store.stats().version,
    entries: entries.map(({ value, ...entry }) => ({
      ...entry,
      value: Buffer.from(value).toString("hex"),
    })),
  };
}

for (const [number, [name, golden]] of Object.entries(goldens).entries()) {
  const fs = new MemoryFileSystem();
  const clock = new TestClock();
  const store = await openInMemory(
    { ...golden.options, clock, random: new SeededRandom(number) },
    fs,
  );
  await golden.write(store, clock, fs);
  const expected = await listing(store);
  if (!golden.unclean) await store.close();

  const target = `${ROOT}${name}/`;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(`${target}wal`, { recursive: true });
  const names = fs.readDirectory(`${PATH}/wal`).sort();
  const newest = names.filter((name) => name.endsWith(".log")).at(-1);
  for (const name of names) {
    const bytes = readFile(fs, `${PATH}/wal/${name}`, 1 << 20);
    const torn = name === newest ? golden.torn ?? [] : [];
    writeFileSync(`${target}wal/${name}`, Uint8Array.of(...bytes, ...torn));
  }
  const truncatedBytes = golden.torn?.length ?? 0;
  writeFileSync(
    `${ROOT}${name}.json`,
    JSON.stringify({ truncatedBytes, ...expected as object }, null, 2) + "\n",
  );
  await store.close();
  console.log(`${target}: ${names.length} files`);
}
