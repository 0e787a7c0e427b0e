/**
 * A change feed as a body that goes on until somebody ends it. It is read as fast as the client takes
 * it and no faster: between two reads there is at most one change in memory, with a short value.
 */

import type { Clock } from "../../clock.ts";
import { KvError } from "../../errors.ts";
import type { ChangeFeed } from "../../mod.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { type ChangeFormat, type FedChange, withoutLongValue } from "./change_format.ts";

/** A chunk is handed over once it is this long, or there is nothing more at the moment. */
const CHUNK_CHARACTERS = 64 * 1024;
/** Less than proxies and servers let a connection be idle, which is a minute as a rule. */
export const KEEP_ALIVE_MS = 15_000;

const encoder = new TextEncoder();

/** What a {@link ChangeStream} is made of. */
export interface ChangeStreamContext {
  feed: ChangeFeed;
  format: ChangeFormat;
  clock: Clock;
  logger: Logger;
  /** Aborted when the client has gone. */
  gone: AbortSignal;
  /** Aborted when the service stops. */
  stopping: AbortSignal;
  /**
   * Called once when it is over, however that came about; but when the service stops only as soon as
   * the client takes notice, which one that does not read never will.
   */
  onEnd: () => void;
}

/** What has come of asking the feed for the next change. */
type Arrival = { change: FedChange } | { error: unknown } | "end";

/** The source of a stream. */
export class ChangeStream {
  readonly #context: ChangeStreamContext;
  /** Up to where clients know that they have everything. */
  #versionTold: number;
  #hasBegun = false;
  #isAsking = false;
  #arrival: Arrival | undefined;
  #isPulling = false;
  #isOver = false;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #wake: () => void = () => {};

  private constructor(context: ChangeStreamContext) {
    this.#context = context;
    this.#versionTold = context.feed.version;
  }

  /** Makes the body. */
  static open(context: ChangeStreamContext): ReadableStream<Uint8Array> {
    const source = new ChangeStream(context);
    return new ReadableStream<Uint8Array>({
      start: (controller) => source.#start(controller),
      pull: () => source.#pull(),
      cancel: () => source.#leave(),
    }, { highWaterMark: 0 });
  }

  #start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    const { gone, stopping } = this.#context;
    gone.addEventListener("abort", this.#abandon);
    stopping.addEventListener("abort", this.#stop);
    if (gone.aborted) this.#abandon();
  }

  async #pull(): Promise<void> {
    const { feed, format } = this.#context;
    if (this.#isOver) return this.#close();
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      // At once, since servers send the headers with it.
      this.#controller.enqueue(encoder.encode(format.begin(feed.version)));
      return;
    }
    this.#isPulling = true;
    try {
      const text = await this.#nextText();
      if (this.#isOver) return;
      if (text === undefined) {
        this.#end();
        this.#close();
      } else {
        this.#controller.enqueue(encoder.encode(text));
      }
    } catch (error) {
      if (!this.#isOver) this.#fail(error);
    } finally {
      this.#isPulling = false;
    }
  }

  /** What is to be sent next, as soon as there is anything; undefined at the end. */
  async #nextText(): Promise<string | undefined> {
    const { feed, format, clock } = this.#context;
    let text = "";
    /** Whether the changes that could be had without waiting have been. */
    let isTurnOver = false;
    let quietAt: number | undefined;
    const keepAlive = clock.schedule(KEEP_ALIVE_MS, () => {
      const { version } = feed;
      // A change up to here may be on its way out of the feed: by the next turn it has arrived.
      clock.defer(() => {
        quietAt = version;
        this.#wake();
      });
    }, true);
    try {
      while (!this.#isOver) {
        const arrival = this.#arrival;
        if (arrival === undefined) {
          if (text !== "" && isTurnOver) return text;
          if (text === "" && quietAt !== undefined) {
            const isNews = quietAt > this.#versionTold;
            this.#versionTold = quietAt;
            return format.progress(quietAt, isNews);
          }
          this.#ask();
          await new Promise<void>((resolve) => this.#wake = resolve);
          continue;
        }
        // What fails later must not take along what is there.
        if ((arrival === "end" || "error" in arrival) && text !== "") return text;
        this.#arrival = undefined;
        if (arrival === "end") return undefined;
        if ("error" in arrival) throw arrival.error;
        if (text === "") {
          clock.defer(() => {
            isTurnOver = true;
            this.#wake();
          });
        }
        text += format.change(arrival.change);
        this.#versionTold = arrival.change.version;
        if (text.length >= CHUNK_CHARACTERS) return text;
      }
      return undefined;
    } finally {
      keepAlive.cancel();
      this.#wake = () => {};
    }
  }

  /** Asks the feed for one more change, unless it is being asked. */
  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const arrived = (arrival: Arrival) => {
      this.#isAsking = false;
      this.#arrival = arrival;
      this.#wake();
    };
    this.#context.feed.next().then(
      ({ done, value }) => arrived(done ? "end" : { change: withoutLongValue(value) }),
      (error) => arrived({ error }),
    );
  }

  #fail(error: unknown): void {
    this.#end();
    this.#context.onEnd();
    // Clients that fell too far behind, or follow a store that is being closed, are told by the cut.
    const isExpected = error instanceof KvError && ["Closed", "Compacted"].includes(error.code);
    if (!isExpected) this.#context.logger.error("A change feed was cut off: {error}", { error });
    this.#controller.error(error);
  }

  /** The service stops. A client that is behind hears of it when it reads on. */
  #stop = (): void => {
    if (this.#isOver) return;
    this.#end();
    if (this.#isPulling) this.#close();
  };

  /** The client wants no more. */
  #leave(): void {
    this.#end();
    this.#context.onEnd();
  }

  /** The client has gone, and whoever still reads for it shall not wait. */
  #abandon = (): void => {
    this.#leave();
    this.#controller.error(this.#context.gone.reason);
  };

  /** Sends the end. */
  #close(): void {
    this.#controller.close();
    this.#context.onEnd();
  }

  /** Lets go of everything. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { feed, gone, stopping } = this.#context;
    gone.removeEventListener("abort", this.#abandon);
    stopping.removeEventListener("abort", this.#stop);
    this.#arrival = undefined;
    // Nobody waits for what it still has to say.
    feed.return().catch(() => {});
    this.#wake();
  }
}
