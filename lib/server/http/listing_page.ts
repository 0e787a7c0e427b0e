/** A page of a listing, as one JSON document. */

import { Buffer } from "node:buffer";
import { bytesToRead, type Listing, scanListing, writeEntry } from "./listing.ts";
import { encodeCursor } from "./listing_cursor.ts";
import type { ResponseMemory } from "./response_memory.ts";
import type { StoreApi } from "./store_api.ts";

/** Entries in a page, however many are asked for. */
export const PAGE_ENTRIES_MAX = 1000;
/** A page ends before its entries become longer than this, in bytes; unless it is a single one. */
export const PAGE_BYTES_MAX = 4 << 20;

/** Collects a page, and writes it down; `memory` covers it, or as much as there is when this throws. */
export async function listPage(
  store: StoreApi,
  listing: Listing,
  limit: number,
  memory: ResponseMemory,
): Promise<string> {
  const countMax = Math.min(limit, PAGE_ENTRIES_MAX);
  const written: string[] = [];
  let byteLength = 0;
  let lastKey: string | undefined;
  let seen = 0;
  let complete = true;
  // One more than are listed, to know whether there are more.
  for await (const entry of scanListing(store, listing, countMax + 1)) {
    const isFull = written.length > 0 &&
      listing.values && byteLength + entry.size! > PAGE_BYTES_MAX;
    if (++seen > countMax || isFull) {
      complete = false;
      break;
    }
    const room = byteLength + bytesToRead(entry, listing.values);
    if (memory.lacks(room)) await memory.cover(room);
    const json = await writeEntry(store, entry, listing.values);
    if (json !== undefined) {
      const jsonLength = Buffer.byteLength(json) + 1;
      if (written.length > 0 && byteLength + jsonLength > PAGE_BYTES_MAX) {
        complete = false;
        break;
      }
      written.push(json);
      byteLength += jsonLength;
      memory.count(byteLength);
    }
    lastKey = entry.key;
  }
  const cursor = complete || lastKey === undefined ? null : encodeCursor(listing.bounds, lastKey);
  return `{"entries":[${written.join(",")}],"cursor":${JSON.stringify(cursor)},` +
    `"complete":${complete}}\n`;
}
