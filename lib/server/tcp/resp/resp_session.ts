/**
 * One client that speaks RESP: which command it sends, whether it may, and in which way that is
 * executed. A connection need not wait for one reply before it executes the next command:
 *
 * - A write is in its place in the log when `execute` returns, and its reply follows when it counts
 *   as done.
 * - A read behind writes that are not done yet sees them, and its reply waits for them.
 * - What looks at all keys has to wait until the writes before it are done, and what comes behind it
 *   until it is done itself: see {@link RespSession.mustWait} and {@link RespSession.isBusy}.
 */

import { RESP_BYTES_TOUCHED_MAX, TCP_OUTPUT_BYTES_CALM } from "../../../limits.ts";
import type { KeyInfo, KeyInput } from "../../../mod.ts";
import { latin1 } from "./arguments.ts";
import { type Command, type DataCommand, fitsArity, keysOf, type SweepCommand } from "./command.ts";
import { unknownCommand } from "./command_lookup.ts";
import { durableSource, Keyspace, type KeyspaceSource } from "./keyspace.ts";
import { bulk, error, NULL_ARRAY, OK, QUEUED } from "./replies.ts";
import type { Reply } from "./reply.ts";
import type { RespClient } from "./resp_client.ts";
import { RespError, wrongArity } from "./resp_error.ts";
import type { RespService } from "./resp_service.ts";
import type { RespStore } from "./resp_store.ts";
import type { Session, UsualWays } from "./session.ts";
import { SessionWays } from "./session_ways.ts";
import { copied, type QueuedCommand, Transaction, type WatchedKey } from "./transaction.ts";

/** Longer values are read on another thread. */
const BLOCKING_READ_BYTES_MAX = 64 * 1024;
/** Replies that hold no more than this are not counted: a connection has 1024 of them at most. */
const SHORT_BYTES_MAX = 1024;

/** The session of one connection; {@link RespService.open} begins it. */
export class RespSession implements Session {
  readonly #client: RespClient;
  readonly #service: RespService;
  readonly #store: RespStore;
  readonly #durable: KeyspaceSource;
  readonly #transaction: Transaction;
  readonly #ways: SessionWays | undefined;
  #writesInFlight = 0;
  #longReads = 0;
  /** Bytes of values, roughly, that replies hold which wait for writes. */
  #bytesWaiting = 0;
  #isSweeping = false;

  constructor(client: RespClient) {
    this.#client = client;
    this.#service = client.service;
    this.#store = client.service.store;
    this.#durable = durableSource(this.#store);
    this.#transaction = new Transaction(client);
    const { direct } = client.service;
    if (direct !== undefined) this.#ways = new SessionWays(client, direct);
  }

  get protocol(): 2 | 3 {
    return this.#client.protocol;
  }

  get isClosing(): boolean {
    return this.#client.isClosing;
  }

  /** Whether a password was given, if one is needed. */
  get isAuthenticated(): boolean {
    return this.#client.access !== "none";
  }

  /**
   * True while a long value is read or all keys are looked at, and while the replies that wait hold
   * much: how many values a client asks for does not decide how many are in memory.
   */
  get isBusy(): boolean {
    return this.#longReads > 0 || this.#isSweeping ||
      this.#bytesWaiting > TCP_OUTPUT_BYTES_CALM;
  }

  mustWait(args: readonly Uint8Array[]): boolean {
    return this.#hasWritesInFlight && this.#service.commands.find(args[0]!)?.kind === "sweep";
  }

  get isPlain(): boolean {
    return this.isAuthenticated && !this.#transaction.isOpen && !this.isClosing;
  }

  get usual(): UsualWays | undefined {
    const ways = this.#ways;
    return ways?.isOpen && !this.#transaction.isOpen ? ways : undefined;
  }

  close(): void {
    this.#transaction.take();
    this.#service.close(this.#client);
  }

  execute(args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const client = this.#client;
    const command = this.#service.commands.find(args[0]!);
    this.#service.counts.commands++;
    try {
      const refusal = this.#refusalOf(command, args);
      if (refusal !== undefined) return this.#refuse(this.#withTransaction(command, refusal));
      client.noteCommand(command!);
      return this.#run(command!, args);
    } catch (thrown) {
      return this.#errorReply(thrown);
    }
  }

  /** Why a command must not be executed or queued. */
  #refusalOf(command: Command | undefined, args: readonly Uint8Array[]): string | undefined {
    if (command === undefined) return unknownCommand(args);
    if (!fitsArity(command, args.length)) return wrongArity(command.name);
    const { access } = this.#client;
    if (access === "full") return undefined;
    const { flags, name } = command;
    if (access === "none") {
      return flags.includes("no_auth") ? undefined : "NOAUTH Authentication required.";
    }
    return flags.includes("write") || flags.includes("admin")
      ? `NOPERM this token allows reading only, and not the '${name}' command`
      : undefined;
  }

  /** With an `EXEC` that is refused, its transaction is over, and the error says so. */
  #withTransaction(command: Command | undefined, refusal: string): string {
    if (command?.name !== "exec") return refusal;
    this.#transaction.take();
    return `EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, "")}`;
  }

  #run(command: Command, args: readonly Uint8Array[]): Reply | Promise<Reply> {
    if (command.kind === "transaction") return this.#runTransaction(command.step, args);
    if (this.#transaction.isOpen && command.name !== "quit") return this.#queue(command, args);
    switch (command.kind) {
      case "data":
        return this.#runData(command, args);
      case "client":
        return command.run(this.#client, args);
      case "sweep":
        return this.#sweep(command, copied(args));
    }
  }

  #runData(command: DataCommand, args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const isWrite = command.flags.includes("write");
    if (!isWrite && !this.#hasWritesInFlight) return this.#read(command, args);
    if (args.length === 3 && command.name === "set") {
      const written = this.#store.set(args[1]!, args[2]!);
      this.#writesInFlight++;
      return written.then(this.#finishOk, this.#fail);
    }
    const written = command.write?.(this.#store, args, this.#service);
    if (written === undefined) return this.#update((keys) => command.run(keys, args));
    this.#writesInFlight++;
    return written.then(this.#finish, this.#fail);
  }

  /** Reads what is durable, as there is nothing else that this client could expect to see. */
  #read(command: DataCommand, args: readonly Uint8Array[]): Reply | Promise<Reply> {
    if (command.readsValues) {
      if (command.name === "get") return this.#get(args[1]!);
      const byteLength = this.#longBytesOf(command, args);
      if (byteLength > 0) return this.#readLong(command, copied(args), byteLength);
    }
    return command.run(this.#keyspace(this.#durable), args);
  }

  #get(key: Uint8Array): Reply | Promise<Reply> {
    const info = this.#store.stat(key);
    if (info === undefined) this.#service.counts.misses++;
    else this.#service.counts.hits++;
    if (info !== undefined && info.size > BLOCKING_READ_BYTES_MAX) {
      const { longReads } = this.#service;
      const copy = new Uint8Array(key);
      this.#longReads++;
      const value = longReads.read(info.size, () => this.#store.get(copy), this.#hasLeft);
      return value.then(bulk, this.#errorReply).finally(this.#endLongRead);
    }
    // Also if there is none: it is the reads that are counted.
    return bulk(this.#store.getSync(key));
  }

  /** Length of the values if one is long, else 0. Throws if all are too long together. */
  #longBytesOf(command: DataCommand, args: readonly Uint8Array[]): number {
    let isLong = false;
    let byteLength = 0;
    for (const key of keysOf(command, args)) {
      const size = this.#store.stat(key)?.size ?? 0;
      isLong ||= size > BLOCKING_READ_BYTES_MAX;
      byteLength += size;
    }
    if (byteLength > Math.max(RESP_BYTES_TOUCHED_MAX, this.#service.limits.valueBytesMax)) {
      throw new RespError("ERR values are too long together for one command: use several");
    }
    return isLong ? byteLength : 0;
  }

  async #readLong(
    command: DataCommand,
    args: readonly Uint8Array[],
    byteLength: number,
  ): Promise<Reply> {
    this.#longReads++;
    try {
      const keys = keysOf(command, args);
      // All are looked up before anything is waited for: they are as of one moment.
      const read = () => Promise.all(keys.map((key) => this.#store.get(key)));
      const { longReads } = this.#service;
      const values = await longReads.read(byteLength, read, this.#hasLeft) ?? [];
      const valueByKey = new Map(keys.map((key, index) => [latin1(key), values[index]]));
      const found = (key: Uint8Array) => {
        const value = valueByKey.get(latin1(key));
        return value === undefined ? undefined : { value };
      };
      return command.run(this.#keyspace({ read: found }), args);
    } catch (thrown) {
      return this.#errorReply(thrown);
    } finally {
      this.#endLongRead();
    }
  }

  #hasLeft = (): boolean => this.#client.isGone;

  #endLongRead = (): void => {
    this.#longReads--;
  };

  /**
   * Executes on the newest state, writes in flight included, and writes what has changed. The reply
   * comes when all that it rests on counts as done.
   */
  #update(run: (keys: Keyspace, stat: StatOf) => Reply): Promise<Reply> {
    let reply: Reply = OK;
    let byteLength = 0;
    this.#writesInFlight++;
    const replied = this.#store.update((newest, stat) => {
      const keys = this.#keyspace({ read: newest, look: stat });
      try {
        reply = run(keys, stat);
      } catch (thrown) {
        reply = this.#errorReply(thrown);
        return [];
      }
      byteLength = keys.bytesTouched;
      return keys.operations();
    }).then(() => this.#finish(reply), this.#fail);
    if (byteLength <= SHORT_BYTES_MAX) return replied;
    this.#bytesWaiting += byteLength;
    return replied.finally(() => this.#bytesWaiting -= byteLength);
  }

  #keyspace(source: KeyspaceSource): Keyspace {
    return new Keyspace(source, this.#service.clock.now(), this.#service.limits);
  }

  get #hasWritesInFlight(): boolean {
    return this.#writesInFlight > 0 || this.#ways?.hasSetsInFlight === true;
  }

  #finish = (reply: Reply): Reply => {
    this.#writesInFlight--;
    return reply;
  };

  #finishOk = (): Reply => this.#finish(OK);

  #fail = (thrown: unknown): Reply => this.#finish(this.#errorReply(thrown));

  #queue(command: Exclude<Command, { kind: "transaction" }>, args: readonly Uint8Array[]): Reply {
    if (command.kind === "sweep" || command.flags.includes("no_multi")) {
      return this.#refuse("ERR Command not allowed inside a transaction");
    }
    try {
      if (command.kind === "client") command.check?.(args);
      this.#transaction.add(command, args);
    } catch (thrown) {
      this.#transaction.noteRefused();
      throw thrown;
    }
    return QUEUED;
  }

  #runTransaction(step: string, args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const transaction = this.#transaction;
    switch (step) {
      case "multi":
        if (transaction.isOpen) throw new RespError("ERR MULTI calls can not be nested");
        transaction.begin();
        return OK;
      case "discard":
        if (!transaction.isOpen) throw new RespError("ERR DISCARD without MULTI");
        transaction.take();
        return OK;
      case "exec":
        if (!transaction.isOpen) throw new RespError("ERR EXEC without MULTI");
        return this.#exec();
      case "watch":
        if (transaction.isOpen) throw new RespError("ERR WATCH inside MULTI is not allowed");
        return this.#update((_keys, stat) => {
          const versions = args.slice(1).map((key) => stat(key)?.version ?? 0);
          versions.forEach((version, index) => transaction.watch(args[index + 1]!, version));
          return OK;
        });
      default:
        if (transaction.isOpen) return this.#queueUnwatch(args);
        transaction.unwatch();
        return OK;
    }
  }

  /** Within a transaction it is a command like others, though there is nothing left to forget. */
  #queueUnwatch(args: readonly Uint8Array[]): Reply {
    const command = this.#service.commands.find(args[0]!)!;
    return this.#queue({ ...command, kind: "client", run: () => OK }, args);
  }

  #exec(): Reply | Promise<Reply> {
    const { isBroken } = this.#transaction;
    const { queue, watched } = this.#transaction.take();
    if (isBroken) {
      throw new RespError("EXECABORT Transaction discarded because of previous errors.");
    }
    const writes = queue.some(({ command }) => command.flags.includes("write"));
    if (writes || this.#hasWritesInFlight) {
      return this.#update((keys, stat) => this.#runQueue(keys, stat, queue, watched));
    }
    const stat = (key: KeyInput) => this.#store.stat(key);
    return this.#runQueue(this.#keyspace(this.#durable), stat, queue, watched);
  }

  #runQueue(
    keys: Keyspace,
    stat: StatOf,
    queue: readonly QueuedCommand[],
    watched: readonly WatchedKey[],
  ): Reply {
    if (watched.some(({ key, version }) => (stat(key)?.version ?? 0) !== version)) {
      return NULL_ARRAY;
    }
    const replies = queue.map((queued) => this.#runQueued(queued, keys));
    return (out) => {
      out.array(replies.length);
      for (const reply of replies) reply(out);
    };
  }

  /** What fails here is one reply among others; the rest of the transaction is executed. */
  #runQueued({ command, args }: QueuedCommand, keys: Keyspace): Reply {
    try {
      if (command.kind === "client") return command.run(this.#client, args);
      return keys.attempt(() => command.run(keys, args));
    } catch (thrown) {
      return this.#errorReply(thrown);
    }
  }

  #sweep(command: SweepCommand, args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const reply = command.run(this.#client, args);
    return reply instanceof Promise ? this.#finishSweep(reply) : reply;
  }

  async #finishSweep(result: Promise<Reply>): Promise<Reply> {
    this.#isSweeping = true;
    try {
      return await result;
    } catch (thrown) {
      return this.#errorReply(thrown);
    } finally {
      this.#isSweeping = false;
    }
  }

  #refuse(text: string): Reply {
    this.#transaction.noteRefused();
    this.#service.counts.errors++;
    return error(text);
  }

  #errorReply = (thrown: unknown): Reply => {
    return this.#service.errorReply(thrown);
  };
}

/** Tells of a key without reading its value. */
type StatOf = (key: KeyInput) => KeyInfo | undefined;
