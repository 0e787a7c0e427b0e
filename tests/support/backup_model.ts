/** What a store must hold at a version, by everything that was written to it. */

import assert from "node:assert/strict";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { Entry } from "../../lib/store/types.ts";
import { scanAll } from "./test_store.ts";

/** A record that was acknowledged. */
export interface Written {
  version: number;
  key: string;
  /** Undefined: it was deleted. */
  value: Uint8Array | undefined;
  expiresAt: number | undefined;
  /** Version of the first record of its batch. */
  batchStart: number;
}

/** Everything that was written, in any order. */
export class WrittenRecords {
  readonly records: Written[] = [];

  /** The entries at a version, in order of their keys; no batch may be cut in two there. */
  at(version: number, now: number): Entry[] {
    const entries = new Map<string, Entry>();
    for (const record of this.records.sort((left, right) => left.version - right.version)) {
      if (record.version > version) {
        assert(record.batchStart > version, `a batch is cut in two by ${version}`);
        break;
      }
      const { key, value, expiresAt } = record;
      const isGone = value === undefined || (expiresAt !== undefined && expiresAt <= now);
      if (isGone) entries.delete(key);
      else {entries.set(key, {
          key,
          value,
          version: record.version,
          ...(expiresAt && { expiresAt }),
        });}
    }
    return [...entries.values()].sort((left, right) => left.key < right.key ? -1 : 1);
  }
}

/** Verifies the store at `path` and returns all that it holds, and the version it is at. */
export async function contentsOf(
  fs: FileSystem,
  path: string,
): Promise<{ entries: Entry[]; version: number }> {
  const report = await KvStore.verify(path, { fileSystem: fs });
  assert.deepEqual([report.problems, report.tornBytes], [[], 0]);
  await using store = await KvStore.open(path, { fileSystem: fs, readOnly: true });
  assert.equal(store.stats().replay.truncatedBytes, 0);
  return { entries: await scanAll(store), version: store.stats().version };
}
