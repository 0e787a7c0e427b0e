/**
 * Executes the commands of the text protocol. Writes are handed to the store as they come, so that
 * those of a pipeline share an fsync; a read waits until the writes before it are acknowledged, so
 * that it sees them.
 */

import { KvError } from "../../../errors.ts";
import { type KvStore, NOT_DIRECT } from "../../../mod.ts";
import type { Access, AccessControl } from "../../access_control.ts";
import type { CountedAccess } from "../../telemetry/counted_access.ts";
import type { LongReads } from "../long_reads.ts";
import type { ReplyBuffer } from "../reply_buffer.ts";
import type { TextCommandName, TextParser } from "./text_parser.ts";
import {
  errorReply,
  failureReply,
  NOT_FOUND,
  OK,
  type TextReply,
  type TextResult,
  VALUE_HEADER_BYTES_MAX,
  valueHeader,
  valueReply,
} from "./text_reply.ts";

/** Longer values are read without blocking. */
const BLOCKING_READ_BYTES_MAX = 32 << 10;
/** Longer values are sent from where they are, and not copied once more. */
const COPIED_BYTES_MAX = 8 << 10;

/** What of a store the text protocol needs. */
export type TextStore = Pick<KvStore, "delete" | "get" | "getSync" | "set" | "stat">;

/** What a {@link TextSession} works with. */
export interface TextSessionContext {
  store: TextStore;
  /** Without it, no token is needed. */
  access: AccessControl | undefined;
  longReads: LongReads;
  /** The short way into the store; undefined if there is none. */
  direct: CountedAccess | undefined;
  /** Told of errors that nobody expects. */
  onFailure: (error: unknown) => void;
}

/** The state of one client that speaks the text protocol. */
export class TextSession {
  readonly #context: TextSessionContext;
  readonly #remoteHost: string;
  #access: Access | undefined;
  #writesInFlight = 0;
  #isReading = false;
  #isClosed = false;
  /** Version of the newest set that {@link setNow} executed. */
  #lastSet = 0;

  /** `remoteHost` is the client's address, by which wrong tokens are counted. */
  constructor(context: TextSessionContext, remoteHost: string) {
    this.#context = context;
    this.#remoteHost = remoteHost;
    if (context.access === undefined) this.#access = "full";
  }

  /** Whether a token is needed first. */
  get isRestricted(): boolean {
    return this.#access === undefined;
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
  }

  /** Whether a command can only be executed when some before it are answered. */
  mustWait(name: TextCommandName): boolean {
    // One long value at a time: how many a client asks for does not decide how many are in memory.
    // A write behind it waits too, as the read may have yet to begin.
    return this.#isReading || (name === "GET" && this.#hasWritesInFlight);
  }

  /**
   * Executes the `GET` that a parser has found, and writes its reply; undefined if {@link execute} has
   * to, and nothing was written. Only while no reply is owed.
   */
  getNow(
    { bytes, argumentStart, argumentEnd }: TextParser,
    out: ReplyBuffer,
  ): TextResult | undefined {
    const access = this.#direct;
    if (access === undefined) return undefined;
    const { direct, gets } = access;
    const address = direct.find(bytes, argumentStart, argumentEnd);
    if (address === NOT_DIRECT) return undefined;
    if (address === 0) {
      gets.not_found++;
      return NOT_FOUND(out);
    }
    const length = direct.valueLength(address);
    if (length > COPIED_BYTES_MAX) return undefined;
    out.mark(VALUE_HEADER_BYTES_MAX + length);
    valueHeader(length, out);
    try {
      direct.copyValue(address, out.memory, out.take(length));
    } catch {
      out.backToMark();
      return undefined; // execute meets the same, and says it
    }
    gets.ok++;
    return "ok";
  }

  /**
   * Executes the `SET` that a parser has found. Returns the version, at which it counts as done; below
   * 0 if {@link execute} has to do it, and nothing was done.
   */
  setNow({ bytes, argumentStart, argumentEnd, valueStart, valueEnd }: TextParser): number {
    const access = this.#access === "full" ? this.#direct : undefined;
    if (access === undefined) return NOT_DIRECT;
    let version: number;
    try {
      version = access.direct.set(bytes, argumentStart, argumentEnd, valueStart, valueEnd);
    } catch {
      return NOT_DIRECT; // execute meets the same, and says it
    }
    if (version !== NOT_DIRECT) this.#lastSet = version;
    return version;
  }

  /** Undefined while it must not be used, since each operation is to have a span. */
  get #direct(): CountedAccess | undefined {
    const { direct } = this.#context;
    return this.#access === undefined || direct?.tracing.enabled ? undefined : direct;
  }

  get #hasWritesInFlight(): boolean {
    if (this.#writesInFlight > 0) return true;
    const direct = this.#context.direct?.direct;
    if (direct === undefined) return false;
    return this.#lastSet > direct.acknowledged && direct.failure === undefined;
  }

  /** Executes the command that a parser has found. Never throws. */
  execute({ name, argument, value, problem }: TextParser): TextReply | Promise<TextReply> {
    if (name === "unknown") return errorReply("BadCommand", problem);
    if (name === "AUTH") return this.#authenticate(argument);
    if (this.#access === undefined) {
      return errorReply("Unauthorized", "This service needs a token: send AUTH <token> first");
    }
    if (name === "GET") return this.#get(argument);
    if (this.#access !== "full") {
      return errorReply("Forbidden", "This token allows reading only");
    }
    return name === "SET" ? this.#set(argument, value) : this.#delete(argument);
  }

  #authenticate(token: Uint8Array): TextReply {
    const { access } = this.#context;
    if (access === undefined) {
      return errorReply("BadCommand", "This service has no token: no AUTH is needed");
    }
    const allowed = access.accessOf(token);
    if (allowed !== undefined) {
      this.#access = allowed;
      return OK;
    }
    return access.failed(this.#remoteHost) > 0
      ? errorReply("TooManyRequests", "Too many wrong tokens from this address")
      : errorReply("Unauthorized", "The token is not one of this service's");
  }

  #get(key: Uint8Array): TextReply | Promise<TextReply> {
    const { store } = this.#context;
    try {
      const info = store.stat(key);
      if (info !== undefined && info.size > BLOCKING_READ_BYTES_MAX) {
        return this.#getLong(new Uint8Array(key), info.size);
      }
      // Also if there is none: it is the reads that are counted.
      const value = store.getSync(key);
      return value === undefined ? NOT_FOUND : valueReply(value);
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #getLong(key: Uint8Array, byteLength: number): Promise<TextReply> {
    this.#isReading = true;
    try {
      const { longReads, store } = this.#context;
      const value = await longReads.read(byteLength, () => store.get(key), () => this.#isClosed);
      return value === undefined ? NOT_FOUND : valueReply(value);
    } catch (error) {
      return this.#failed(error);
    } finally {
      this.#isReading = false;
    }
  }

  #set(key: Uint8Array, value: Uint8Array): Promise<TextReply> {
    this.#writesInFlight++;
    // Key and value are encoded before this returns, so views are good enough.
    return this.#context.store.set(key, value).then(this.#written, this.#refused);
  }

  #delete(key: Uint8Array): Promise<TextReply> {
    this.#writesInFlight++;
    return this.#context.store.delete(key).then(this.#written, this.#refused);
  }

  readonly #written = (): TextReply => {
    this.#writesInFlight--;
    return OK;
  };

  readonly #refused = (error: unknown): TextReply => {
    this.#writesInFlight--;
    if (error instanceof KvError && error.code === "NotFound") return NOT_FOUND;
    return this.#failed(error);
  };

  #failed(error: unknown): TextReply {
    if (!(error instanceof KvError)) this.#context.onFailure(error);
    return failureReply(error);
  }
}
