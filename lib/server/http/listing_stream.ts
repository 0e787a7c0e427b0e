/**
 * A whole listing as NDJSON, one entry a line. It is read as fast as the client takes it and no
 * faster. If it fails on the way, the connection is cut off, so that nobody takes what came so far for
 * everything.
 */

import { KvError } from "../../errors.ts";
import type { Entry } from "../../mod.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { type Listing, scanListing, writeEntry } from "./listing.ts";
import type { StoreApi } from "./store_api.ts";

/** A chunk is handed over once it is this long. */
const CHUNK_CHARACTERS = 64 * 1024;

const encoder = new TextEncoder();

/** Begins a stream. What fails before the first chunk fails here, while there is a status to say so. */
export async function streamListing(
  store: StoreApi,
  listing: Listing,
  limit: number,
  logger: Logger,
): Promise<ReadableStream<Uint8Array>> {
  const entries = scanListing(store, listing, limit);
  let isCancelled = false;
  let next: Chunk | undefined = await readChunk(store, entries, listing.values);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = next ?? await readChunk(store, entries, listing.values);
        next = undefined;
        if (isCancelled) return;
        if (chunk.text !== "") controller.enqueue(encoder.encode(chunk.text));
        if (chunk.isLast) controller.close();
      } catch (error) {
        if (isCancelled) return;
        // Of a store that is being closed, the cut says all there is to say: its reader may have gone
        // already, of which a server that stops need not have told yet.
        const isExpected = error instanceof KvError && error.code === "Closed";
        if (!isExpected) logger.error("A listing was cut off: {error}", { error });
        controller.error(error);
      }
    },
    async cancel() {
      isCancelled = true;
      await entries.return?.();
    },
  }, { highWaterMark: 0 });
}

interface Chunk {
  text: string;
  isLast: boolean;
}

async function readChunk(
  store: StoreApi,
  entries: AsyncIterator<Entry>,
  values: boolean,
): Promise<Chunk> {
  let text = "";
  while (text.length < CHUNK_CHARACTERS) {
    const { done, value } = await entries.next();
    if (done) return { text, isLast: true };
    const json = await writeEntry(store, value, values);
    if (json !== undefined) text += `${json}\n`;
  }
  return { text, isLast: false };
}
