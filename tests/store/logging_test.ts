/** What a store says of itself, and that it says nothing unless asked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { ioError, SystemError } from "../../lib/fs/io_error.ts";
import type { Logger } from "../../lib/telemetry/logger.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { openInMemory, PATH } from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

const SEGMENT = `${PATH}/wal/0000000001.log`;

interface Line {
  level: string;
  message: string;
  properties: Record<string, unknown>;
}

class MemoryLogger implements Logger {
  readonly lines: Line[] = [];
  readonly #isDebug: boolean;

  constructor(isDebug = true) {
    this.#isDebug = isDebug;
  }

  debug = this.#note("debug");
  info = this.#note("info");
  warn = this.#note("warn");
  error = this.#note("error");

  isEnabledFor(level: string): boolean {
    return level !== "debug" || this.#isDebug;
  }

  at(level: string): Line[] {
    return this.lines.filter((line) => line.level === level);
  }

  #note(level: string) {
    return (message: string, properties: Record<string, unknown>) => {
      this.lines.push({ level, message, properties });
    };
  }
}

/** Changes bytes of a file behind the store's back. */
function tamper(fileSystem: MemoryFileSystem, offset: number, bytes: Uint8Array): void {
  const file = fileSystem.open(SEGMENT, "write");
  file.write(bytes, 0, bytes.length, offset);
  file.close();
}

test("opening says what replay found", async () => {
  const fileSystem = new MemoryFileSystem();
  const first = await openInMemory({}, fileSystem);
  await first.set("a", "1");
  await first.set("b", "2");
  await first.close();
  const logger = new MemoryLogger();
  const store = await openInMemory({ logger }, fileSystem);
  const { properties } = logger.at("info")[0]!;
  assert.deepEqual(
    [properties["records"], properties["segments"], properties["keys"]],
    [2, 1, 2],
  );
  assert.equal(typeof properties["durationMs"], "number");
  await store.close();
});

test("commands are logged at debug with their offsets, and no keys or values", async () => {
  const logger = new MemoryLogger();
  const store = await openInMemory({ logger });
  await store.set("secret key", "secret value");
  await store.get("secret key");
  await store.delete("secret key");
  const lines = logger.at("debug");
  assert.deepEqual(lines.map(({ properties }) => properties["command"]), ["set", "get", "delete"]);
  assert.equal(lines[0]!.properties["offset"], lines[1]!.properties["offset"]);
  assert.doesNotMatch(JSON.stringify(logger.lines), /secret/);
  await store.close();
});

test("nothing is logged of commands while nobody listens at debug", async () => {
  const logger = new MemoryLogger(false);
  const store = await openInMemory({ logger });
  await store.set("a", "1");
  assert.deepEqual(logger.at("debug"), []);
  await store.close();
});

test("a torn tail is a warning with file, offset and length", async () => {
  const fileSystem = new MemoryFileSystem();
  const first = await openInMemory({}, fileSystem);
  await first.set("a", "1");
  await first.close();
  const { size } = fileSystem.stat(SEGMENT)!;
  tamper(fileSystem, size, new Uint8Array([0xf1, 0x43, 0x52]));
  const logger = new MemoryLogger();
  const store = await openInMemory({ logger }, fileSystem);
  const { properties } = logger.at("warn")[0]!;
  assert.deepEqual(
    [properties["path"], properties["offset"], properties["bytes"]],
    [SEGMENT, size, 3],
  );
  await store.close();
});

test("a record whose checksum does not match is a warning", async () => {
  const fileSystem = new MemoryFileSystem();
  const logger = new MemoryLogger();
  const store = await openInMemory({ logger }, fileSystem);
  await store.set("a", "value");
  const { offset, frameLength } = logger.at("debug")[0]!.properties as Record<string, number>;
  tamper(fileSystem, offset! + frameLength! - 5, new Uint8Array([0]));
  await assert.rejects(store.get("a"), { code: "CorruptLog" });
  const { properties } = logger.at("warn")[0]!;
  assert.deepEqual([properties["path"], properties["offset"]], [SEGMENT, offset]);
  await store.close();
});

test("a compaction that fails by itself is a warning, and is tried again", async () => {
  const clock = new TestClock();
  const logger = new MemoryLogger(false);
  const disk = new InterceptingFileSystem(new MemoryFileSystem());
  const compaction = { auto: true, deadBytesMin: 4096 };
  const store = await openInMemory({ logger, clock, compaction }, disk);
  await store.set("z", "v");
  // The new active segment may be created, the output of compaction may not.
  disk.beforeChange = (what, path) => {
    if (what !== "create" || !path.endsWith(".hint.tmp")) return;
    throw ioError("create", path, new SystemError("ENOSPC", "no space left on device"));
  };
  for (let round = 0; round < 50; round++) await store.set("a", "x".repeat(1000));
  const failed = () => logger.at("warn").find(({ message }) => message.startsWith("Compaction"));
  for (let turn = 0; turn < 1000 && failed() === undefined; turn++) await settle();
  assert.equal(typeof failed()!.properties["retryMs"], "number");
  disk.beforeChange = () => {};
  clock.advance(Number(failed()!.properties["retryMs"]));
  for (let turn = 0; turn < 1000 && store.stats().compactions === 0; turn++) await settle();
  assert(store.stats().deadBytes < 4096);
  await store.close();
});

function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
