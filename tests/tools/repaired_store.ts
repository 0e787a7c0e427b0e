/** Repairs a store in memory, and checks of the outcome what must hold whatever was damaged. */

import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { RepairOptions, RepairReport } from "../../lib/tools/repair.ts";
import { assertUntouched, type DiskImage, fromImage } from "../support/disk_image.ts";
import { PATH, scanAll } from "../support/test_store.ts";
import { latin1 } from "./written_records.ts";

/** Where repaired stores go. */
export const REPAIRED = "/repaired";

/** A key as the repaired store has it. */
export interface RepairedEntry {
  value: string;
  version: number;
  expiresAt: number;
}

/** What a repair made. */
export interface Repaired {
  report: RepairReport;
  entries: Map<string, RepairedEntry>;
  fs: FileSystem;
  /** The version that the next write got. */
  versionNext: number;
}

/** A clock that stands still at `now` milliseconds since the epoch. */
export function clockAt(now: number): Clock {
  return { ...systemClock, now: () => now };
}

/** Repairs an image; the result must verify, open, take writes, and agree with its report. */
export async function repairImage(
  image: DiskImage,
  now: number,
  options: RepairOptions = {},
): Promise<Repaired> {
  const fs = fromImage(image);
  const clock = clockAt(now);
  const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs, clock, ...options });
  assertUntouched(fs, image);
  const verified = await KvStore.verify(REPAIRED, { fileSystem: fs });
  assert.deepEqual(verified.problems, []);
  assert.equal(verified.tornBytes, 0);
  const entries = new Map<string, RepairedEntry>();
  const storeOptions = { fileSystem: fs, clock, compaction: { auto: false } };
  await using store = await KvStore.open(REPAIRED, storeOptions);
  for (const { key, value, version, expiresAt = 0 } of await scanAll(store)) {
    entries.set(key, { value: latin1(value), version, expiresAt });
  }
  assert.equal(store.size, entries.size);
  assert.equal(report.keys, entries.size);
  assert.equal(store.stats().version, report.version);
  assert.equal(store.stats().nodeId, report.nodeId);
  const { version } = await store.set("written after the repair", "");
  assert.equal(version, report.version + 1);
  return { report, entries, fs, versionNext: version };
}
