/** Cursors of `SCAN`: numbers that clients hold, and the keys behind which they go on. */

import { SCAN_CURSOR_KEY_BYTES_MAX, SCAN_CURSORS_MAX } from "../../../limits.ts";
import type { RandomSource } from "../../../mod.ts";

interface Cursor {
  /** The last key that was looked at. */
  readonly key: string;
  /** The cursor that led here; nobody needs it once this one is used. */
  readonly origin: number;
}

/**
 * The cursors of a server. They hold for every connection, as clients share them, and are forgotten
 * when there are too many: the one that was made or used longest ago goes first. Numbers are not
 * given out twice, and begin somewhere else at each start, so that a cursor from before does not
 * mean another place now.
 */
export class ScanCursors {
  readonly #cursors = new Map<number, Cursor>();
  #next: number;
  #keyBytes = 0;

  constructor(random: RandomSource) {
    const bytes = new Uint8Array(6);
    random.fill(bytes);
    // Some clients keep cursors as doubles, so all of them must be safe integers.
    this.#next = bytes.reduce((sum, byte) => sum * 256 + byte, 0) + 1;
  }

  /** A new cursor, behind `key`; `origin` is the one that was used to come there, or 0. */
  add(key: string, origin: number): number {
    const cursor = this.#next++;
    this.#cursors.set(cursor, { key, origin });
    this.#keyBytes += key.length;
    for (const oldest of this.#cursors.keys()) {
      const isWithin = this.#cursors.size <= SCAN_CURSORS_MAX &&
        this.#keyBytes <= SCAN_CURSOR_KEY_BYTES_MAX;
      if (isWithin || oldest === cursor) break;
      this.#drop(oldest);
    }
    return cursor;
  }

  /** The key behind which this cursor goes on; undefined if it is not known, or not any more. */
  use(cursor: number): string | undefined {
    const found = this.#cursors.get(cursor);
    if (found === undefined) return undefined;
    this.#drop(found.origin);
    this.#cursors.delete(cursor);
    this.#cursors.set(cursor, { key: found.key, origin: 0 });
    return found.key;
  }

  /** How many are known. */
  get size(): number {
    return this.#cursors.size;
  }

  #drop(cursor: number): void {
    const found = this.#cursors.get(cursor);
    if (found === undefined) return;
    this.#keyBytes -= found.key.length;
    this.#cursors.delete(cursor);
  }
}
