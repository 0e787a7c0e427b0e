/** The change feed of a server, taken up again whenever the connection drops. */

import { type Clock, type ScheduledTask, systemClock } from "../../clock.ts";
import { ConnectionError } from "../cli_error.ts";
import type { HttpClient } from "./http_client.ts";
import { bytesOf, type ListedValue } from "./server_json.ts";
import type { FollowedChange, FollowOptions } from "./target.ts";

interface ChangeLine extends ListedValue {
  version: number;
  /** A line without it only says how far the feed has come. */
  op?: "set" | "del";
  key: string;
  expiresAt?: number;
  size?: number;
}

/** The server says something every 15 seconds; after four times that it is gone. */
const SILENCE_MS_MAX = 60_000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

/**
 * Follows for ever. The first connection must come about; later ones are tried again and again,
 * since servers are restarted.
 */
export async function* followServer(
  client: HttpClient,
  { since, prefix, values, signal }: FollowOptions,
  clock: Clock = systemClock,
): AsyncGenerator<FollowedChange, void> {
  let version = since;
  let hasBegun = false;
  let retryMs = RETRY_MS_MIN;
  while (true) {
    const watchdog = new Watchdog(clock);
    try {
      const request = {
        path: "/v1/changes",
        query: { since: version, prefix, values: values ? 1 : undefined },
        signal: signal === undefined ? watchdog.signal : AbortSignal.any([watchdog.signal, signal]),
      };
      for await (const change of client.lines<ChangeLine>(request, "version", "the changes")) {
        watchdog.reset();
        hasBegun = true;
        retryMs = RETRY_MS_MIN;
        if (change.op !== undefined) yield changeOf(change);
        version = change.version;
      }
    } catch (error) {
      // What the server refuses for a reason does not get better by itself.
      if (!hasBegun || !(error instanceof ConnectionError) || signal?.aborted) throw error;
    } finally {
      watchdog.stop();
    }
    await new Promise<void>((resolve) => clock.schedule(retryMs, resolve));
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  }
}

function changeOf({ version, op, key, expiresAt, size, ...listed }: ChangeLine): FollowedChange {
  const value = bytesOf(listed);
  return {
    version,
    op: op!,
    key,
    ...(value !== undefined && { value }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(size !== undefined && { size }),
  };
}

/** Ends a request on which nothing comes any more: of some broken connections nobody is told. */
class Watchdog {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #task: ScheduledTask;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#task = this.#schedule();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  reset(): void {
    this.#task.cancel();
    this.#task = this.#schedule();
  }

  stop(): void {
    this.#task.cancel();
    // Whoever stops reading leaves no request behind.
    this.#controller.abort();
  }

  #schedule(): ScheduledTask {
    return this.#clock.schedule(SILENCE_MS_MAX, () => this.#controller.abort());
  }
}
