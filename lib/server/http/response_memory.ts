/**
 * How many bytes of answers may wait for slow readers. A value that is being sent is in memory until
 * its reader has taken it, and a thousand readers that take nothing would keep a thousand values.
 */

import { systemClock } from "../../clock.ts";
import { RESPONSE_BYTES_HELD_MAX } from "../../limits.ts";
import { HttpError } from "./problem.ts";

/** Answers up to this are not counted: as many as there are requests are still not much. */
const SMALL_RESPONSE_BYTES = 256 << 10;
/** The collector stops everything for a moment, so it is not called more often than this. */
const COLLECT_INTERVAL_MS = 50;
/** How often a stream that waits for memory looks for it. */
const RETRY_MS = 250;
/** Long values that may be on their way from the disk at once. */
const READS_AT_ONCE_MAX = 16;

/**
 * Bun keeps a Response for as long as it is being sent and tells nobody when that is over, so the
 * garbage collector has to: it is called when memory seems to be used up, which it does in a few
 * milliseconds, since hardly anything of a store is on its heap. Other runtimes let go of a Response
 * early and have no collector to call; there, nothing is counted.
 */
const collectGarbage: (() => void) | undefined = ((runtime) => {
  const gc = runtime.Bun?.gc;
  return gc === undefined ? undefined : () => gc(true);
})(globalThis as { Bun?: { gc(force: boolean): void } });

let bytesHeld = 0;
/** What this thread may have of what all threads may hold together: a number up to 1. */
let share = 1;
const finished = new FinalizationRegistry<number>((bytes) => void (bytesHeld -= bytes));

/**
 * Returns an answer with a body of `bytes`, as soon as there is memory for it to wait in. Throws if
 * there is none.
 */
export async function heldResponse(response: Response, bytes: number): Promise<Response> {
  return await held(bytes, () => response);
}

/**
 * Returns what `read` does, which brings a value of `bytes` into memory for an answer. Room for it is
 * made sure of before: what is read and then refused would be in memory all the same until the
 * collector has been there. Throws if there is none.
 */
export async function heldRead(
  request: Request,
  bytes: number,
  read: () => Promise<Response>,
): Promise<Response> {
  return await held(bytes, () => withReadSlot(request, read));
}

async function held(
  bytes: number,
  respond: () => Response | Promise<Response>,
): Promise<Response> {
  const memory = new ResponseMemory();
  await memory.cover(bytes);
  try {
    return memory.leaveTo(await respond());
  } catch (error) {
    memory.release();
    throw error;
  }
}

/** The memory of one answer, or of a piece of it, whose length turns out while it is made. */
export class ResponseMemory {
  #bytes = 0;

  /** Whether it has no room yet for `bytes` in all. */
  lacks(bytes: number): boolean {
    return bytes > SMALL_RESPONSE_BYTES && bytes > this.#bytes && collectGarbage !== undefined;
  }

  /** Has room for `bytes` in all from now on. Throws if there is none. */
  async cover(bytes: number): Promise<void> {
    if (!this.lacks(bytes)) return;
    if (this.#isTooMuch(bytes)) {
      await collected(collectGarbage!);
      if (this.#isTooMuch(bytes)) throw overloaded();
    }
    this.count(bytes);
  }

  /** Counts `bytes` in all, since they are there already. */
  count(bytes: number): void {
    if (!this.lacks(bytes)) return;
    bytesHeld += bytes - this.#bytes;
    this.#bytes = bytes;
  }

  /** As {@link cover}, but waits as long as there is no room; throws then if `isOver`. */
  async coverLater(bytes: number, isOver: () => boolean): Promise<void> {
    for (;;) {
      try {
        return await this.cover(bytes);
      } catch (error) {
        if (isOver()) throw error;
        await new Promise<void>((resolve) => systemClock.schedule(RETRY_MS, resolve, true));
      }
    }
  }

  /** Gives it back. */
  release(): void {
    bytesHeld -= this.#bytes;
    this.#bytes = 0;
  }

  /** Gives it back when the response, which is returned, has been sent. */
  leaveTo(response: Response): Response {
    if (this.#bytes > 0) finished.register(response, this.#bytes);
    this.#bytes = 0;
    return response;
  }

  /** One answer is let out whatever its length. */
  #isTooMuch(bytes: number): boolean {
    const others = bytesHeld - this.#bytes;
    return others > 0 && others + bytes > RESPONSE_BYTES_HELD_MAX * share;
  }
}

/** Leaves to other threads what is not this one's share of the memory, and of long reads at once. */
export function shareResponseMemory(part: number): void {
  share = part;
}

let collecting: Promise<void> | undefined;

/** Collects once for all that ask meanwhile, and lets the registry hear of it. */
function collected(collect: () => void): Promise<void> {
  collecting ??= new Promise((resolve) => {
    systemClock.schedule(COLLECT_INTERVAL_MS, () => {
      collect();
      systemClock.schedule(0, () => {
        collecting = undefined;
        resolve();
      });
    });
  });
  return collecting;
}

let reading = 0;
const waiting: (() => void)[] = [];

/** Runs `read` when fewer than so many others are on their way from the disk. */
async function withReadSlot(
  request: Request,
  read: () => Promise<Response>,
): Promise<Response> {
  while (reading >= Math.max(1, Math.floor(READS_AT_ONCE_MAX * share))) {
    const { signal } = request;
    await new Promise<void>((resolve) => waiting.push(resolve));
    // Who has gone meanwhile needs no answer, and whoever is next no more waiting.
    if (signal.aborted) {
      waiting.shift()?.();
      throw overloaded();
    }
  }
  reading++;
  try {
    return await read();
  } finally {
    reading--;
    waiting.shift()?.();
  }
}

function overloaded(): HttpError {
  return new HttpError(
    "Overloaded",
    "Answers that nobody reads hold as much memory as they may: try again",
    { "retry-after": "1" },
  );
}
