/**
 * The HTTP service of a thread that can read the store and not write to it: requests for one value are
 * answered here, by an application of its own, and all others by that of the thread with the store.
 */

import { type Clock, systemClock } from "../../../clock.ts";
import {
  type Entry,
  type KeyInfo,
  type KeyInput,
  KvError,
  type ReadOptions,
} from "../../../mod.ts";
import type { AccessControl } from "../../access_control.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createApp } from "../app.ts";
import { SMALL_BODY_BYTES } from "../body_memory.ts";
import { ChangeFeeds } from "../change_feeds.ts";
import type { Handler } from "../gate.ts";
import { watchEnd } from "../request_body.ts";
import { isAllowed } from "../request_access.ts";
import type { HostRules } from "../request_guard.ts";
import { isKeyRequest, rawPath } from "../request_target.ts";
import type { RequestCount } from "./request_count.ts";
import { heldResponse } from "../response_memory.ts";
import type { StoreApi } from "../store_api.ts";
import {
  type HttpThreadPort,
  MessageChannelEnd,
  type RequestMessage,
  type RequestPart,
  type ResponseMessage,
  type ResponsePart,
} from "./messages.ts";

/** What reads; a `KvReader` is one. */
export interface FrontReader {
  getEntry(key: KeyInput): Promise<Entry | undefined>;
  getEntrySync(key: KeyInput): Entry | undefined;
  stat(key: KeyInput): KeyInfo | undefined;
}

/** What a {@link ReadingFront} works with. */
export interface ReadingFrontOptions {
  /** Under which names it is reached. */
  rules: HostRules;
  reader: FrontReader;
  /** Leads to `hostRequests` on the thread that has the store. */
  port: HttpThreadPort;
  telemetry: Telemetry;
  access: AccessControl | undefined;
  slowRequestMs: number;
  /** Counts the requests of all threads. */
  count: RequestCount;
  clock?: Clock;
}

interface Connection {
  requestIP?(request: Request): { address: string } | null;
}

/** Receives requests. */
export class ReadingFront {
  readonly #options: ReadingFrontOptions;
  readonly #answerHere: Handler;
  readonly #channel: MessageChannelEnd<RequestPart, ResponsePart>;
  readonly #relayed = new Map<number, Relayed>();
  #nextId = 1;

  constructor(options: ReadingFrontOptions) {
    this.#options = options;
    const { reader, rules, telemetry, slowRequestMs, port, clock = systemClock } = options;
    // Tokens were looked at before.
    const app = createApp(storeOf(reader), {
      ...rules,
      telemetry,
      slowRequestMs,
      changeFeeds: new FeedsElsewhere(options.count),
    });
    this.#answerHere = (request, connection) => app.fetch(request, connection as object);
    this.#channel = new MessageChannelEnd(port, clock);
    this.#channel.receive((message) => {
      this.#relayed.get(message.id)?.told(message);
    });
  }

  /** How many answers are under way that may never end, such as change feeds. */
  get streams(): number {
    let count = 0;
    for (const relayed of this.#relayed.values()) if (relayed.isStream) count++;
    return count;
  }

  /** Answers a request, here or there. */
  readonly fetch: Handler = (request, connection) => {
    const counted = this.#options.count.around(connection);
    void counted.pendingRequests; // which lets the other threads know
    return this.#isOurs(request)
      ? this.#answerHere(request, counted)
      : this.#relay(request, connection as Connection | undefined);
  };

  #isOurs(request: Request): boolean {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") return false;
    if (!isKeyRequest(request) && rawPath(request) !== "/healthz") return false;
    const { access } = this.#options;
    return access === undefined || isAllowed(access, request);
  }

  #relay(request: Request, connection: Connection | undefined): Promise<Response> {
    const id = this.#nextId++;
    const relayed = new Relayed(id, request, this.#channel, () => this.#relayed.delete(id));
    this.#relayed.set(id, relayed);
    const address = connection?.requestIP?.(request)?.address;
    return relayed.begin(address);
  }
}

/** The change feeds, all of which the other thread has. */
class FeedsElsewhere extends ChangeFeeds {
  readonly #count: RequestCount;

  constructor(count: RequestCount) {
    super();
    this.#count = count;
  }

  override get open(): number {
    return this.#count.apart;
  }
}

/** A request that the other thread answers. */
class Relayed {
  isStream = false;
  readonly #id: number;
  readonly #request: Request;
  readonly #channel: MessageChannelEnd<RequestPart, ResponsePart>;
  readonly #forget: () => void;
  readonly #answered = Promise.withResolvers<Response>();
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isWhole = () => Promise.resolve(true);
  #next: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  constructor(
    id: number,
    request: Request,
    channel: MessageChannelEnd<RequestPart, ResponsePart>,
    forget: () => void,
  ) {
    this.#id = id;
    this.#request = request;
    this.#channel = channel;
    this.#forget = forget;
  }

  begin(address: string | undefined): Promise<Response> {
    const { method, url, headers } = this.#request;
    const body = this.#bodyKind();
    const message: RequestMessage = {
      kind: "request",
      id: this.#id,
      method,
      url,
      headers: [...headers],
      body,
      address,
    };
    this.#channel.send(message);
    if (body === "short") this.#sendShortBody();
    // Of an answer to any other method nothing is left to be done when the client goes.
    if (method === "GET") {
      this.#request.signal.addEventListener("abort", () => this.#gone(), { once: true });
    }
    return this.#answered.promise;
  }

  told(message: ResponsePart): void {
    if (message.kind === "response") this.#answer(message);
    else if (message.kind === "moreBody") {
      if (message.isEnough) this.#body?.cancel().catch(() => {});
      else this.#sendBodyPiece();
    } else if (message.isLast) {
      this.#forget();
      const broken = new KvError("Io", "The answer broke off");
      if (!message.isBroken) this.#next?.resolve(undefined);
      else {
        this.#next?.reject(broken);
        this.#answered.reject(broken);
      }
    } else this.#next?.resolve(message.bytes);
  }

  #bodyKind(): RequestMessage["body"] {
    const { method, headers } = this.#request;
    if (method === "GET" || method === "HEAD") return "none";
    const declared = headers.get("content-length");
    if (declared !== null && Number(declared) <= SMALL_BODY_BYTES) return "short";
    return this.#request.body === null ? "none" : "long";
  }

  #sendShortBody(): void {
    const id = this.#id;
    this.#request.arrayBuffer().then((buffer) => {
      this.#channel.send({ kind: "body", id, bytes: new Uint8Array(buffer), isLast: true });
    }, () => this.#channel.send({ kind: "body", id, bytes: undefined, isLast: true }));
  }

  async #sendBodyPiece(): Promise<void> {
    const id = this.#id;
    try {
      if (this.#body === undefined) {
        this.#isWhole = watchEnd(this.#request);
        this.#body = this.#request.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      }
      const { done, value } = await this.#body.read();
      if (done) {
        const isLast = await this.#isWhole();
        return this.#channel.send({ kind: "body", id, bytes: undefined, isLast });
      }
      this.#channel.send({ kind: "body", id, bytes: value, isLast: false });
    } catch {
      this.#channel.send({ kind: "body", id, bytes: undefined, isLast: false });
    }
  }

  #answer({ status, headers, bytes: body, isStream }: ResponseMessage): void {
    this.isStream = isStream;
    if (isStream) {
      return this.#answered.resolve(new Response(this.#stream(), { status, headers }));
    }
    this.#forget();
    const bytes = body as Uint8Array<ArrayBuffer> | undefined;
    const response = new Response(bytes ?? null, { status, headers });
    if (bytes === undefined) return this.#answered.resolve(response);
    heldResponse(response, bytes.length).then(this.#answered.resolve, this.#answered.reject);
  }

  #stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const id = this.#id;
    return new ReadableStream({
      pull: async (controller) => {
        this.#next = Promise.withResolvers();
        this.#channel.send({ kind: "more", id });
        const bytes = await this.#next.promise;
        if (bytes === undefined) controller.close();
        else controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
      },
      cancel: () => this.#gone(),
    }, { highWaterMark: 0 });
  }

  #gone(): void {
    this.#forget();
    this.#channel.send({ kind: "gone", id: this.#id });
    this.#next?.resolve(undefined);
  }
}

/** The part of a store that requests for one value need. */
function storeOf(reader: FrontReader): StoreApi {
  const store: Pick<StoreApi, "failure" | "getEntry" | "getEntrySync" | "stat"> = {
    failure: undefined,
    getEntry: (key) => reader.getEntry(key),
    getEntrySync(key, { valueBytesMax = Infinity }: ReadOptions = {}) {
      const info = reader.stat(key);
      if (info === undefined) return undefined;
      if (info.size <= valueBytesMax) return reader.getEntrySync(key);
      return { key: String(key), value: new Uint8Array(0), ...info };
    },
    stat: (key) => reader.stat(key),
  };
  return store as StoreApi;
}
