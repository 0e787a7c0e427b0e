/** The change feeds that a service has open. They never end by themselves, so it must be able to. */

import { CHANGE_FEEDS_MAX } from "../../limits.ts";
import { HttpError } from "./problem.ts";
import { SlotLimit } from "./slot_limit.ts";

/**
 * Counts the change feeds of one application, and ends them.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { ChangeFeeds, createApp } from "@cairn/kv/http";
 *
 * await using store = await KvStore.open("./data");
 * const changeFeeds = new ChangeFeeds();
 * const app = createApp(store, { changeFeeds });
 * const feed = await app.request("http://localhost/v1/changes");
 * console.log(changeFeeds.open); // 1
 *
 * // A server that stops waits for answers under way, and feeds would go on for ever.
 * changeFeeds.stop();
 * await feed.text();
 * console.log(changeFeeds.open); // 0
 * ```
 */
export class ChangeFeeds {
  readonly #slots: SlotLimit;
  readonly #stop = new AbortController();

  /** At most `feedsMax` may be open at once (default 1000); others get 503. */
  constructor(feedsMax: number = CHANGE_FEEDS_MAX) {
    this.#slots = new SlotLimit(feedsMax, "change feeds");
  }

  /**
   * How many are open. Once they are stopped, those are left whose readers have stopped reading:
   * there is nothing to wait for in them.
   */
  get open(): number {
    return this.#slots.taken;
  }

  /** Aborted when all are to end. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /** As {@link SlotLimit.take}; throws `Closed` once they are stopped. */
  take(): () => void {
    if (this.stopping.aborted) throw new HttpError("Closed", "The service stops: try again");
    return this.#slots.take();
  }

  /** Ends all of them, and refuses others from now on. */
  stop(): void {
    this.#stop.abort();
  }
}
