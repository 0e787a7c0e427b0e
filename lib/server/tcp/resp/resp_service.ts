/** What all clients that speak RESP have in common: the store, what is allowed, and the figures. */

import { getLogger } from "@logtape/logtape";
import {
  KEY_BYTES_MAX_DEFAULT,
  RESP_BYTES_HELD_MAX,
  TCP_LONG_READ_BYTES_MAX,
  VALUE_BYTES_MAX_DEFAULT,
} from "../../../limits.ts";
import { type Clock, type RandomSource, systemClock, systemRandom } from "../../../mod.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { CountedAccess } from "../../telemetry/counted_access.ts";
import { LongReads } from "../long_reads.ts";
import type { CommandTable } from "./command_lookup.ts";
import { COMMAND_TABLE } from "./command_table.ts";
import type { KeyspaceLimits } from "./keyspace.ts";
import type { Reply } from "./reply.ts";
import { RespClient } from "./resp_client.ts";
import { replyOfError } from "./resp_error.ts";
import { RespSession } from "./resp_session.ts";
import type { RespStore } from "./resp_store.ts";
import { ScanCursors } from "./scan_cursors.ts";
import type { Session, SessionConnection } from "./session.ts";

/** Who may do what, by token; the access control of the HTTP service is one. */
export interface PasswordCheck {
  /** What a token allows; undefined if it is none of ours, which is then to be {@link failed}. */
  accessOf(token: string | Uint8Array): "full" | "read" | undefined;
  /** Notes a wrong token from an address; returns more than 0 if there were too many. */
  failed(address: string): number;
}

/** Options of a {@link RespService}. */
export interface RespServiceOptions {
  /** What passwords allow, which are tokens (default: none is needed, and everything allowed). */
  access?: PasswordCheck | undefined;
  /** Whether `FLUSHALL` and `FLUSHDB` are allowed (default: if no password is needed). */
  allowFlush?: boolean;
  /** Where long values are read in turn (default: with those of this service alone). */
  longReads?: LongReads;
  /** The short way into the store, for the commands that there are most of (default: none). */
  direct?: CountedAccess | undefined;
  /** Longest key that the store accepts, in bytes (default 64 KiB). */
  keyBytesMax?: number;
  /** Longest value that the store accepts, in bytes (default 64 MiB). */
  valueBytesMax?: number;
  /** What `CONFIG GET` says beside or instead of what it says by itself. */
  config?: Readonly<Record<string, string>>;
  /** Version of this program, for `INFO`. */
  version?: string;
  /** The clock that the store goes by (default: the machine's). */
  clock?: Clock;
  /** Where random bytes come from (default: the runtime's generator). */
  random?: RandomSource;
  /** Receives log entries instead of LogTape's category `cairn.tcp`. */
  logger?: Logger;
}

/** Counts since the start, or since `CONFIG RESETSTAT`. */
export interface RespCounts {
  connections: number;
  commands: number;
  hits: number;
  misses: number;
  errors: number;
}

/**
 * Executes RESP commands on a store, for any number of clients.
 *
 * @example
 * ```ts ignore
 * const service = new RespService(store);
 * const session = service.open({ id: 1, remoteAddress: "127.0.0.1:40000", localAddress: "127.0.0.1:8621" });
 * const reply = await session.execute(["SET", "greeting", "hello"].map((text) => encoder.encode(text)));
 * reply(replyEncoder); // +OK
 * ```
 */
export class RespService {
  readonly store: RespStore;
  readonly clock: Clock;
  readonly limits: KeyspaceLimits;
  readonly access: PasswordCheck | undefined;
  readonly allowFlush: boolean;
  readonly config: Readonly<Record<string, string>>;
  readonly version: string;
  readonly commands: CommandTable = COMMAND_TABLE;
  readonly cursors: ScanCursors;
  readonly longReads: LongReads;
  /** The short way into the store; undefined if there is none. */
  readonly direct: CountedAccess | undefined;
  /** When it was made, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Names this run of the server. */
  readonly runId: string;
  /** The clients that are connected, by number. */
  readonly clients: Map<number, RespClient> = new Map();
  counts: RespCounts = noCounts();
  readonly #logger: Logger;
  #bytesHeld = 0;

  constructor(store: RespStore, options: RespServiceOptions = {}) {
    const random = options.random ?? systemRandom;
    this.store = store;
    this.clock = options.clock ?? systemClock;
    this.limits = {
      keyBytesMax: options.keyBytesMax ?? KEY_BYTES_MAX_DEFAULT,
      valueBytesMax: options.valueBytesMax ?? VALUE_BYTES_MAX_DEFAULT,
    };
    this.access = options.access;
    this.allowFlush = options.allowFlush ?? options.access === undefined;
    this.config = options.config ?? {};
    this.version = options.version ?? "0.0.0";
    this.#logger = options.logger ?? getLogger(["cairn", "tcp"]);
    this.direct = options.direct;
    this.longReads = options.longReads ?? new LongReads(TCP_LONG_READ_BYTES_MAX);
    this.cursors = new ScanCursors(random);
    this.startedAt = this.clock.now();
    const id = new Uint8Array(20);
    random.fill(id);
    this.runId = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Begins the session of a connection. */
  open(connection: SessionConnection): Session {
    const client = new RespClient(this, connection);
    this.clients.set(connection.id, client);
    this.counts.connections++;
    return new RespSession(client);
  }

  /** Ends the session of a client. */
  close(client: RespClient): void {
    this.clients.delete(client.connection.id);
    client.close();
  }

  /** Takes bytes of what all clients may hold together; false if there are not so many. */
  hold(byteLength: number): boolean {
    const max = Math.max(RESP_BYTES_HELD_MAX, 2 * this.limits.valueBytesMax);
    if (this.#bytesHeld + byteLength > max) return false;
    this.#bytesHeld += byteLength;
    return true;
  }

  /** Gives back what {@link hold} took. */
  letGo(byteLength: number): void {
    this.#bytesHeld -= byteLength;
  }

  /** Bytes that clients hold at the moment. */
  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** Takes what another thread has counted of the commands that it answered. */
  count({ commands = 0, hits = 0, misses = 0 }: Partial<RespCounts>): void {
    this.counts.commands += commands;
    this.counts.hits += hits;
    this.counts.misses += misses;
  }

  /** Begins all counts anew. */
  resetCounts(): void {
    this.counts = noCounts();
  }

  /** The reply to a command that threw. */
  errorReply(thrown: unknown): Reply {
    this.counts.errors++;
    return replyOfError(thrown, this.onDefect);
  }

  /** Writes down what nobody foresaw; the client learns only that it happened. */
  onDefect = (error: unknown): void => {
    this.#logger.error("A command failed unexpectedly: {error}", { error });
  };

  /** Writes down that something in the background failed. */
  onFailure(what: string, error: unknown): void {
    this.#logger.warn("{what} failed: {error}", { what, error });
  }
}

function noCounts(): RespCounts {
  return { connections: 0, commands: 0, hits: 0, misses: 0, errors: 0 };
}
