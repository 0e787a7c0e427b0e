/**
 * A whole listing as NDJSON, one entry a line. It is read as fast as the client takes it and no
 * faster. If it fails on the way, the connection is cut off, so that nobody takes what came so far for
 * everything.
 */

import { KvError } from "../../errors.ts";
import type { Entry } from "../../mod.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { bytesToRead, type Listing, scanListing, writeEntry } from "./listing.ts";
import { ResponseMemory } from "./response_memory.ts";
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
  const memory = new ResponseMemory();
  let isCancelled = false;
  const readChunk = async (cover: (bytes: number) => Promise<void>): Promise<Chunk> => {
    try {
      return await collectChunk(store, entries, listing.values, memory, cover);
    } catch (error) {
      memory.release();
      throw error;
    }
  };
  let next: Chunk | undefined = await readChunk((bytes) => memory.cover(bytes));
  let isLast = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        if (next === undefined) {
          // What was handed over has been taken.
          memory.release();
          if (isLast) return controller.close();
          // With a status sent, all that is left besides waiting is to cut the reader off.
          next = await readChunk((bytes) => memory.coverLater(bytes, () => isCancelled));
        }
        if (isCancelled) return memory.release();
        const { text } = next;
        isLast = next.isLast;
        next = undefined;
        if (text === "") controller.close();
        else controller.enqueue(encoder.encode(text));
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
      memory.release();
      await entries.return?.();
    },
  }, { highWaterMark: 0 });
}

interface Chunk {
  /** Empty only if it is the last. */
  text: string;
  isLast: boolean;
}

async function collectChunk(
  store: StoreApi,
  entries: AsyncIterator<Entry>,
  values: boolean,
  memory: ResponseMemory,
  cover: (bytes: number) => Promise<void>,
): Promise<Chunk> {
  let text = "";
  while (text.length < CHUNK_CHARACTERS) {
    const { done, value } = await entries.next();
    if (done) return { text, isLast: true };
    const room = text.length + bytesToRead(value, values);
    if (memory.lacks(room)) await cover(room);
    const json = await writeEntry(store, value, values);
    if (json !== undefined) text += `${json}\n`;
    memory.count(text.length);
  }
  return { text, isLast: false };
}
