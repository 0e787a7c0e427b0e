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
/** Long values that may be on their way from the disk at once. */
const READS_AT_ONCE_MAX = 16;
const READS_WHILE_SHORT_MAX = 4;

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

let held = 0;
const finished = new FinalizationRegistry<number>((bytes) => void (held -= bytes));

/**
 * Returns an answer with a body of `bytes`, as soon as there is memory for it to wait in. Throws if
 * there is none.
 */
export function heldResponse(
  response: Response,
  bytes: number,
  bytesMax: number = RESPONSE_BYTES_HELD_MAX,
): Response | Promise<Response> {
  if (bytes <= SMALL_RESPONSE_BYTES || collectGarbage === undefined) return response;
  if (!isTooMuch(bytes, bytesMax)) return hold(response, bytes);
  return collected(collectGarbage).then(() => {
    if (!isTooMuch(bytes, bytesMax)) return hold(response, bytes);
    throw overloaded();
  });
}

/** One answer is let out whatever its length. */
function isTooMuch(bytes: number, bytesMax: number): boolean {
  return held > 0 && held + bytes > bytesMax;
}

function hold(response: Response, bytes: number): Response {
  held += bytes;
  finished.register(response, bytes);
  return response;
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

/**
 * Runs `read`, which brings a value into memory. Short values are there at once; of long ones, whose
 * length is known only when they are read, a few are on their way while others wait. Throws if memory
 * is short already.
 */
export async function withReadSlot(
  request: Request,
  read: () => Promise<Response>,
): Promise<Response> {
  while (reading >= (collecting === undefined ? READS_AT_ONCE_MAX : READS_WHILE_SHORT_MAX)) {
    if (collecting !== undefined) throw overloaded();
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
