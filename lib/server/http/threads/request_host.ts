/**
 * Answers the requests that other threads have received and do not answer themselves: the application
 * gets them as it gets its own, and its answers go back.
 */

import { type Clock, systemClock } from "../../../clock.ts";
import { STREAMED } from "../body_bytes.ts";
import type { Handler } from "../gate.ts";
import {
  type HttpThreadPort,
  MessageChannelEnd,
  type RequestMessage,
  type RequestPart,
  type ResponsePart,
} from "./messages.ts";

type Channel = MessageChannelEnd<ResponsePart, RequestPart>;

/** Answers, with `answer`, the requests that come by a port; `pendingRequests` counts all threads'. */
export function hostRequests(
  port: HttpThreadPort,
  answer: Handler,
  pendingRequests: () => number,
  clock: Clock = systemClock,
): void {
  const requests = new Map<number, RelayedRequest>();
  const channel: Channel = new MessageChannelEnd(port, clock);
  channel.receive((message) => {
    if (message.kind === "request") {
      const request = new RelayedRequest(message, channel, () => requests.delete(message.id));
      requests.set(message.id, request);
      request.answer(answer, pendingRequests).catch(() => request.fail());
    } else requests.get(message.id)?.told(message);
  });
}

/** A request that another thread has received. */
class RelayedRequest {
  readonly #message: RequestMessage;
  readonly #channel: Channel;
  readonly #forget: () => void;
  readonly #abort = new AbortController();
  /** Of a short body. */
  readonly #whole = Promise.withResolvers<ArrayBuffer>();
  /** Of a long one, who waits for the next piece. */
  #next: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #isGone = false;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isReading = false;

  constructor(message: RequestMessage, channel: Channel, forget: () => void) {
    this.#message = message;
    this.#channel = channel;
    this.#forget = forget;
    this.#whole.promise.catch(() => {}); // perhaps nobody wants it
  }

  told(message: Exclude<RequestPart, RequestMessage>): void {
    if (message.kind === "body") this.#tookBody(message.bytes, message.isLast);
    else if (message.kind === "more") this.#sendPiece();
    else {
      this.#isGone = true;
      this.#forget();
      this.#abort.abort();
      this.#whole.reject(new Error("The client has gone"));
      this.#next?.reject(new Error("The client has gone"));
      this.#reader?.cancel().catch(() => {});
    }
  }

  async answer(answer: Handler, pendingRequests: () => number): Promise<void> {
    const { id, address } = this.#message;
    const response = await answer(this.#request(), {
      get pendingRequests() {
        return pendingRequests();
      },
      requestIP: () => address === undefined ? null : { address },
    });
    if (this.#isGone) return void response.body?.cancel();
    const { status } = response;
    const headers = [...response.headers];
    const type = response.headers.get("content-type") ?? "";
    if (STREAMED.test(type) && response.body !== null) {
      this.#reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      this.#send({ kind: "response", id, status, headers, bytes: undefined, isStream: true });
      return;
    }
    const buffer = await response.arrayBuffer();
    this.#forget();
    const bytes = buffer.byteLength === 0 ? undefined : new Uint8Array(buffer);
    this.#send({ kind: "response", id, status, headers, bytes, isStream: false });
  }

  /** The answer cannot be had: whatever the client has of it is not whole. */
  fail(): void {
    this.#forget();
    const { id } = this.#message;
    this.#send({ kind: "piece", id, bytes: undefined, isLast: true, isBroken: true });
  }

  #request(): Request {
    const { method, url, headers, body } = this.#message;
    // Its own constructor would tidy the path, and refuse some methods and bodies.
    const request = new Request("http://localhost/", { headers, signal: this.#abort.signal });
    Object.defineProperties(request, {
      method: { value: method },
      url: { value: url },
      body: { get: () => body === "none" ? null : this.#bodyStream() },
      arrayBuffer: { value: () => this.#whole.promise },
    });
    return request;
  }

  #bodyStream(): ReadableStream<Uint8Array> {
    const { id } = this.#message;
    if (this.#message.body === "short") {
      return new Response(
        new ReadableStream({
          start: async (controller) => {
            try {
              controller.enqueue(new Uint8Array(await this.#whole.promise));
              controller.close();
            } catch (error) {
              controller.error(error);
            }
          },
        }),
      ).body!;
    }
    return new ReadableStream({
      pull: async (controller) => {
        this.#next = Promise.withResolvers();
        this.#send({ kind: "moreBody", id, isEnough: false });
        const bytes = await this.#next.promise;
        if (bytes === undefined) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: () => this.#send({ kind: "moreBody", id, isEnough: true }),
    }, { highWaterMark: 0 });
  }

  #tookBody(bytes: Uint8Array | undefined, isLast: boolean): void {
    if (this.#message.body === "short") {
      if (bytes === undefined) this.#whole.reject(new Error("The body broke off"));
      else this.#whole.resolve(bytes.buffer as ArrayBuffer);
    } else if (bytes !== undefined) this.#next?.resolve(bytes);
    else if (isLast) this.#next?.resolve(undefined);
    else this.#next?.reject(new Error("The body broke off"));
  }

  async #sendPiece(): Promise<void> {
    const { id } = this.#message;
    if (this.#reader === undefined || this.#isReading) return;
    this.#isReading = true;
    try {
      const { done, value } = await this.#reader.read();
      if (done) {
        this.#forget();
        return this.#send({ kind: "piece", id, bytes: undefined, isLast: true });
      }
      this.#send({ kind: "piece", id, bytes: value, isLast: false });
    } catch {
      this.fail();
    } finally {
      this.#isReading = false;
    }
  }

  #send(message: ResponsePart): void {
    if (!this.#isGone) this.#channel.send(message);
  }
}
