/** Stores for tests, and what is compared of them. */

import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Durability, Entry, OpenOptions } from "../../lib/store/types.ts";
import type { Logger } from "../../lib/telemetry/logger.ts";
import { takeCensus } from "./log_census.ts";

/** Where stores in memory are. */
export const PATH = "/store";
/** A durability under which nothing is synced by itself while a test runs. */
export const LAZY: Durability = { bytes: 1 << 30, millis: 3_600_000 };
/** Both kinds of durability, with names for the titles of tests. */
export const DURABILITIES: readonly (readonly [name: string, durability: Durability])[] = [
  ["immediate", "immediate"],
  ["batched", LAZY],
];

/** Opens a store in memory. Automatic compaction is off unless asked for. */
export function openInMemory(
  options: OpenOptions = {},
  fileSystem: FileSystem = new MemoryFileSystem(),
): Promise<KvStore> {
  return KvStore.open(PATH, { fileSystem, compaction: { auto: false }, ...options });
}

/** Bytes as text. */
export function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** `length` bytes that differ from place to place, and from seed to seed. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** All entries that a scan yields. */
export async function scanAll(
  store: KvStore,
  options?: Parameters<KvStore["scan"]>[0],
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of store.scan(options)) entries.push(entry);
  return entries;
}

/** The keys that a scan yields. */
export async function scanKeys(
  store: KvStore,
  options?: Parameters<KvStore["scan"]>[0],
): Promise<string[]> {
  return (await scanAll(store, { values: false, ...options })).map(({ key }) => key);
}

/** Names of the files in a store's log, sorted. */
export function logNames(fs: FileSystem, path = PATH): string[] {
  return fs.readDirectory(`${path}/wal`).sort();
}

/** Ids of the segment files that are there. */
export function segmentIds(fs: FileSystem, path = PATH): number[] {
  return logNames(fs, path).filter((name) => name.endsWith(".log")).map((name) => parseInt(name));
}

/** Length of all segment files together. */
export function logBytes(fs: FileSystem, path = PATH): number {
  return logNames(fs, path).filter((name) => name.endsWith(".log"))
    .reduce((sum, name) => sum + (fs.stat(`${path}/wal/${name}`)?.size ?? 0), 0);
}

/** Holds a store's figures against what its files say. Everything in flight must be done. */
export async function assertExact(
  store: KvStore,
  fs: FileSystem,
  now: number = systemClock.now(),
): Promise<void> {
  await store.flush();
  let stats = store.stats();
  let census = takeCensus(fs, store.path, now);
  // Compaction may just have begun to close the newest segment: ACTIVE does not name the next one yet.
  for (let turns = 0; turns < 10 && stats.segments > census.fileIds.length; turns++) {
    await store.flush();
    stats = store.stats();
    census = takeCensus(fs, store.path, now);
  }
  assert.equal(stats.aliveBytes + stats.deadBytes, stats.totalBytes);
  assert.equal(stats.totalBytes, census.totalBytes, "total bytes are those of the files");
  assert.equal(stats.aliveBytes, census.aliveBytes, "alive bytes are those of a rescan");
  assert.equal(stats.keys, census.entries.size);
  assert.equal(stats.segments, census.fileIds.length);
  assert.equal(stats.version, census.lastLsn);
  assert.equal(stats.durableVersion, census.lastLsn);
}

/** Lets the event loop turn until something holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert(performance.now() < deadline, `still waiting: ${what}`);
    await turn();
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A logger that keeps what it is told. */
export class MemoryLogger implements Logger {
  readonly messages: { level: string; message: string; properties: Record<string, unknown> }[] = [];

  debug(message: string, properties: Record<string, unknown> = {}): void {
    this.messages.push({ level: "debug", message, properties });
  }

  info(message: string, properties: Record<string, unknown> = {}): void {
    this.messages.push({ level: "info", message, properties });
  }

  warn(message: string, properties: Record<string, unknown> = {}): void {
    this.messages.push({ level: "warn", message, properties });
  }

  error(message: string, properties: Record<string, unknown> = {}): void {
    this.messages.push({ level: "error", message, properties });
  }

  /** Messages of warnings and errors. */
  get troubles(): string[] {
    return this.messages.filter(({ level }) => level === "warn" || level === "error")
      .map(({ message, properties }) => `${message} ${JSON.stringify(properties)}`);
  }
}
