/** Reads change feeds as their clients do: event by event, or line by line. */

import assert from "node:assert/strict";
import { text } from "../support/test_store.ts";

/** An event of a stream, with the fields that it had. */
export interface FeedEvent {
  id?: number;
  event?: string;
  data?: Record<string, unknown>;
  retry?: number;
  comment?: string;
}

/** A body that is read piece by piece. */
export class FeedReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #separator: string;
  readonly #decoder = new TextDecoder();
  #text = "";
  /** How often something was read. */
  chunks = 0;

  private constructor(response: Response, separator: string) {
    assert.equal(response.status, 200);
    this.#reader = response.body!.getReader();
    this.#separator = separator;
  }

  static events(response: Response): FeedReader {
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    return new FeedReader(response, "\n\n");
  }

  static lines(response: Response): FeedReader {
    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    return new FeedReader(response, "\n");
  }

  /** The next event or line as text; undefined at the end. */
  async next(): Promise<string | undefined> {
    let end: number;
    while ((end = this.#text.indexOf(this.#separator)) === -1) {
      const { done, value } = await this.#reader.read();
      if (done) {
        return assert.equal(this.#text, "", "nothing is cut off in the middle") ?? undefined;
      }
      this.chunks++;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
    const next = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + this.#separator.length);
    return next;
  }

  /** The next event. */
  async event(): Promise<FeedEvent> {
    const written = await this.next();
    assert(written !== undefined, "the stream goes on");
    return parseEvent(written);
  }

  /** The next line, as the object that it is. */
  async line(): Promise<Record<string, unknown>> {
    const written = await this.next();
    assert(written !== undefined, "the stream goes on");
    return JSON.parse(written);
  }

  /** The client goes away. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}

function parseEvent(written: string): FeedEvent {
  const event: FeedEvent = {};
  for (const line of written.split("\n")) {
    const [, name, value] = /^(\w*):(?: (.*))?$/.exec(line)!;
    if (name === "id") event.id = Number(value);
    else if (name === "retry") event.retry = Number(value);
    else if (name === "event") event.event = value!;
    else if (name === "data") event.data = JSON.parse(value!);
    else event.comment = assert.equal(name, "") ?? value ?? "";
  }
  return event;
}

/** As in the library: a value that was written down as text or base64. */
export function valueOf({ value, encoding }: Record<string, unknown>): string | undefined {
  if (value === undefined) return undefined;
  if (encoding !== "base64") return value as string;
  return text(Uint8Array.from(atob(value as string), (character) => character.charCodeAt(0)));
}
