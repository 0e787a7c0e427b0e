/** Options and directories that open cannot use. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { crc32 } from "../../lib/format/crc32.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { SystemError } from "../../lib/fs/io_error.ts";
import { ioError } from "../../lib/fs/io_error.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { openInMemory, PATH, text } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

// deno-lint-ignore no-explicit-any
const wrong = (value: unknown): any => value;

const badOptions: [options: unknown, message: RegExp][] = [
  [null, /Option options is null: it must be an object/],
  [5, /options is 5/],
  [{ durabilty: "immediate" }, /Option durabilty does not exist: the options are durability/],
  [{ compaction: { ratio: 1 } }, /Option compaction\.ratio does not exist/],
  [{ compaction: 5 }, /compaction is 5: it must be an object/],
  [{ compaction: { auto: 1 } }, /compaction\.auto is 1: it must be true or false/],
  ...[0, -0.1, 1.1, NaN, "0.5"].map((deadRatio): [unknown, RegExp] => [
    { compaction: { deadRatio } },
    /compaction\.deadRatio is .+: it must be a number above 0 and at most 1/,
  ]),
  ...[-1, 1.5, NaN, Infinity, "1"].flatMap((value): [unknown, RegExp][] => [
    [{ compaction: { totalBytes: value } }, /compaction\.totalBytes is .+ integer from 0 to/],
    [{ compaction: { deadBytesMin: value } }, /compaction\.deadBytesMin is .+ integer from 0/],
    [
      { compaction: { retainedVersions: value } },
      /retainedVersions is .+ from 0 to 281474976710655/,
    ],
  ]),
  ...[
    "always",
    5,
    null,
    {},
    { bytes: 4096 },
    { bytes: 4095, millis: 1 },
    { bytes: 4096, millis: 0 },
    { bytes: 4096.5, millis: 5 },
    { bytes: 4096, millis: 3_600_001 },
    { bytes: 2 ** 30 + 1, millis: 5 },
    { bytes: 4096, millis: 5, seconds: 5 },
  ].map((durability): [unknown, RegExp] => [
    { durability },
    /Option durability is .+: it must be "immediate" or \{ bytes: 4096 to 1073741824, millis/,
  ]),
  ...[4095, 2 ** 30 + 1, 4096.5, NaN, "4096", null].map((value): [unknown, RegExp] => [
    { segmentBytesMax: value },
    /segmentBytesMax is .+: it must be an integer from 4096 to 1073741824/,
  ]),
  ...[0, -1, 2 ** 30 + 1, 1.5, "1"].map((value): [unknown, RegExp] => [
    { valueBytesMax: value },
    /valueBytesMax is .+: it must be an integer from 1 to 1073741824/,
  ]),
  ...[0, 65_537, 1.5, "1"].map((value): [unknown, RegExp] => [
    { keyBytesMax: value },
    /keyBytesMax is .+: it must be an integer from 1 to 65536/,
  ]),
  [{ readOnly: "no" }, /readOnly is "no": it must be true or false/],
  [{ logger: {} }, /logger is an object: it must be a logger with the methods debug, info/],
  [{ fileSystem: "node" }, /fileSystem is "node": it must be a file system with the methods/],
  [{ clock: { now: () => 0 } }, /clock is an object: it must be a clock with the methods now/],
  [{ random: null }, /random is null: it must be a random source/],
];

test("options that are wrong in any way, and nothing is created", async () => {
  for (const [options, message] of badOptions) {
    const fileSystem = new MemoryFileSystem();
    const given = typeof options === "object" && options !== null
      ? { fileSystem, ...options }
      : options;
    await failsWith("InvalidArgument", message, () => KvStore.open(PATH, wrong(given)));
    assert.deepEqual(fileSystem.readDirectory("/"), []);
  }
});

test("paths that are none", async () => {
  for (const path of ["", null, undefined, 5, {}]) {
    await failsWith(
      "InvalidArgument",
      /Path is .+: pass the path/,
      () => KvStore.open(wrong(path)),
    );
  }
});

test("a path that is a file", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("file");
  writeFileSync(path, "mine");
  await failsWith("Io", /file is a file: a store is a directory/, () => KvStore.open(path));
  await failsWith("Io", /file holds no store/, () => KvStore.open(path, { readOnly: true }));
  await failsWith("Io", /holds no store/, () => KvStore.verify(path));
  await failsWith("Io", /not a directory/, () => KvStore.open(`${path}/below`));
  assert.equal(readFileSync(path, "utf8"), "mine");
});

test("readOnly and verify where there is no store", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("none");
  await failsWith(
    "Io",
    /none does not exist: check the path/,
    () => KvStore.open(path, { readOnly: true }),
  );
  await failsWith("Io", /none does not exist/, () => KvStore.verify(path));
  mkdirSync(path);
  await failsWith("Io", /none holds no store/, () => KvStore.open(path, { readOnly: true }));
  assert.deepEqual(readdirSync(path), []);
});

const root = process.getuid?.() === 0 ? "root may write anywhere" : undefined;
testUnless(
  root ?? (process.platform === "win32" ? "Windows has no such modes" : undefined),
  "a directory that may not be written",
  async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("locked");
    mkdirSync(path, { mode: 0o500 });
    await failsWith(
      "Io",
      /permission denied; run as the user who owns it/,
      () => KvStore.open(path),
    );
    await failsWith("Io", /permission denied/, () => KvStore.open(`${path}/below`));
  },
);

test("a file system that refuses to write, at each step of creating a store", async () => {
  const steps = ["makeDirectory", "create", "write", "rename"];
  for (const step of steps) {
    const base = new MemoryFileSystem();
    const fs = new InterceptingFileSystem(base);
    fs.beforeChange = (what, path) => {
      // The note in LOCK is a courtesy, and does not count.
      if (what !== step || path.endsWith("LOCK")) return;
      throw ioError(what, path, new SystemError("EACCES", "permission denied"));
    };
    const error = await failsWith(
      "Io",
      /Cannot .+: permission denied; run as/,
      () => KvStore.open(PATH, { fileSystem: fs }),
    );
    assert(error.path?.startsWith(PATH), error.path);
    fs.beforeChange = () => {};
    await using store = await KvStore.open(PATH, { fileSystem: fs });
    await store.set("a", "1");
  }
});

test("a directory of a newer format is refused, and not touched", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("store");
  {
    await using store = await KvStore.open(path);
    await store.set("a", "1");
  }
  const active = `${path}/wal/ACTIVE`;
  const bytes = readFileSync(active);
  const original = Uint8Array.from(bytes);
  bytes[4] = 2;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(
    bytes.length - 4,
    crc32(bytes, 0, bytes.length - 4),
    true,
  );
  writeFileSync(active, bytes);
  const before = contents(`${path}/wal`);
  for (const options of [{}, { readOnly: true }] as OpenOptions[]) {
    const error = await failsWith(
      "Unsupported",
      /ACTIVE: it is of format version 2, and this Cairn knows up to 1; use a newer Cairn/,
      () => KvStore.open(path, options),
    );
    assert.equal(error.path, active);
  }
  await failsWith("Unsupported", /version 2/, () => KvStore.verify(path));
  assert.deepEqual(contents(`${path}/wal`), before);
  // Nor was a lock left behind.
  writeFileSync(active, original);
  await using store = await KvStore.open(path);
  assert.equal(text(await store.get("a")), "1");
});

test("a closed store refuses everything but being closed again", async () => {
  const store = await openInMemory();
  await store.set("a", "1");
  const scan = store.scan();
  await scan.next();
  await store.close();
  await store.close();
  await store[Symbol.asyncDispose]();
  const message = /The store \/store is closed: open it again/;
  const rejecting: (() => unknown)[] = [
    () => store.set("a", "2"),
    () => store.get("a"),
    () => store.getEntry("a"),
    () => store.delete("a"),
    () => store.batch([]),
    () => store.flush(),
    () => store.compact(),
  ];
  for (const call of rejecting) {
    const promise = call();
    assert(promise instanceof Promise);
    await failsWith("Closed", message, () => promise);
  }
  const throwing: (() => unknown)[] = [
    () => store.setSync("a", "2"),
    () => store.getSync("a"),
    () => store.getEntrySync("a"),
    () => store.deleteSync("a"),
    () => store.batchSync([]),
    () => store.flushSync(),
    () => store.has("a"),
    () => store.size,
    () => store.stats(),
    () => store.scan(),
  ];
  for (const call of throwing) throwsAtOnce("Closed", message, call);
  assert.equal(store.path, PATH);
});

test("a scan that is going on when the store is closed ends with an error", async () => {
  const store = await openInMemory();
  for (let i = 0; i < 1000; i++) store.setSync(`${i}`, "");
  const scan = store.scan();
  await scan.next();
  await store.close();
  await failsWith("Closed", /is closed/, async () => {
    for await (const _ of scan);
  });
});

test("a store opened with readOnly refuses to write, and reads", async () => {
  const fs = new MemoryFileSystem();
  await using writer = await openInMemory({}, fs);
  await writer.set("a", "1");
  await using store = await openInMemory({ readOnly: true }, fs);
  const message = /\/store was opened with readOnly: open it without to write/;
  const calls: (() => unknown)[] = [
    () => store.set("a", "2"),
    () => store.setSync("a", "2"),
    () => store.delete("a"),
    () => store.deleteSync("a"),
    () => store.batch([]),
    () => store.batchSync([]),
    () => store.flush(),
    () => store.flushSync(),
    () => store.compact(),
  ];
  for (const call of calls) await failsWith("ReadOnly", message, call);
  assert.equal(text(await store.get("a")), "1");
  await writer.set("a", "2");
  assert.equal(text(await store.get("a")), "1", "it stays as of the moment of opening");
});

function contents(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path).sort().map((name) => [name, readFileSync(`${path}/${name}`, "hex")]),
  );
}
