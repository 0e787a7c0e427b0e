/**
 * Executes the commands of the text protocol. Writes are handed to the store as they come, so that
 * those of a pipeline share an fsync; a read waits until the writes before it are acknowledged, so
 * that it sees them.
 */

import { KvError } from "../../../errors.ts";
import type { KvStore } from "../../../mod.ts";
import type { Access, AccessControl } from "../../access_control.ts";
import type { LongReads } from "../long_reads.ts";
import type { TextCommandName, TextParser } from "./text_parser.ts";
import {
  errorReply,
  failureReply,
  NOT_FOUND,
  OK,
  type TextReply,
  valueReply,
} from "./text_reply.ts";

/** Longer values are read without blocking. */
const BLOCKING_READ_BYTES_MAX = 32 << 10;

/** What of a store the text protocol needs. */
export type TextStore = Pick<KvStore, "delete" | "get" | "getSync" | "set" | "stat">;

/** What a {@link TextSession} works with. */
export interface TextSessionContext {
  store: TextStore;
  /** Without it, no token is needed. */
  access: AccessControl | undefined;
  longReads: LongReads;
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

  /** Whether a command can only be executed when some before it are answered. */
  mustWait(name: TextCommandName): boolean {
    // One long value at a time: how many a client asks for does not decide how many are in memory.
    // A write behind it waits too, as the read may have yet to begin.
    return this.#isReading || (name === "GET" && this.#writesInFlight > 0);
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
      const value = await longReads.read(byteLength, () => store.get(key));
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
