/** The commands that a thread without the store answers by itself: those that only read a few keys. */

import type { Clock } from "../../../clock.ts";
import type { Entry, KeyInfo } from "../../../mod.ts";
import type { ResultCounts } from "../../telemetry/operation_counts.ts";
import { respCommand, textCommand } from "../command_counts.ts";
import type { ReplyBuffer } from "../reply_buffer.ts";
import { type DataCommand, fitsArity, keysOf } from "../resp/command.ts";
import { COMMAND_TABLE } from "../resp/command_table.ts";
import { Keyspace, type KeyspaceLimits } from "../resp/keyspace.ts";
import { RespEncoder } from "../resp/resp_encoder.ts";
import type { RespCounts } from "../resp/resp_service.ts";
import type { TcpMetrics } from "../tcp_metrics.ts";
import type { TextParser } from "../text/text_parser.ts";
import { NOT_FOUND, valueReply } from "../text/text_reply.ts";

/** More than this of values is left to the store's thread, which reads it without blocking. */
const VALUE_BYTES_MAX = 32 << 10;

const GET = respCommand(new TextEncoder().encode("get"));
const TEXT_GET = textCommand("GET");

/** What reads; a `KvReader` is one. */
export interface LocalReader {
  getShort(key: Uint8Array, valueBytesMax: number): Uint8Array | null | undefined;
  getEntrySync(key: Uint8Array): Entry | undefined;
  stat(key: Uint8Array): KeyInfo | undefined;
}

/** What it works with. */
export interface LocalReadsContext {
  reader: LocalReader;
  output: ReplyBuffer;
  metrics: TcpMetrics;
  /** Reads, by what came of them. */
  gets: ResultCounts;
  limits: KeyspaceLimits;
  clock: Clock;
}

/** Answers what it can. All else, and all errors, it leaves alone: the store's thread says them. */
export class LocalReads {
  /** What was counted as RESP does it, and told nobody yet. */
  counts: Pick<RespCounts, "commands" | "hits" | "misses"> = { commands: 0, hits: 0, misses: 0 };
  readonly #context: LocalReadsContext;
  readonly #encoder: RespEncoder;

  constructor(context: LocalReadsContext) {
    this.#context = context;
    this.#encoder = new RespEncoder(context.output);
  }

  /** Answers a command of the text protocol; false if it did not. */
  text({ name, argument }: TextParser): boolean {
    if (name !== "GET") return false;
    const { output, metrics } = this.#context;
    const value = this.#get(argument);
    if (value === null) return false;
    metrics.commands.add(TEXT_GET, (value === undefined ? NOT_FOUND : valueReply(value))(output));
    return true;
  }

  /** Answers `GET` of RESP; false if it did not. */
  get(key: Uint8Array, protocol: 2 | 3): boolean {
    const value = this.#get(key);
    if (value === null) return false;
    const encoder = this.#encoder;
    encoder.begin(protocol);
    if (value === undefined) {
      encoder.nullBulk();
      this.counts.misses++;
    } else {
      encoder.bulk(value);
      this.counts.hits++;
    }
    this.counts.commands++;
    this.#context.metrics.commands.add(GET, "ok");
    return true;
  }

  /** Answers a command of RESP; false if it did not. */
  resp(args: readonly Uint8Array[], protocol: 2 | 3): boolean {
    const command = COMMAND_TABLE.find(args[0]!);
    if (command?.kind !== "data" || command.flags.includes("write")) return false;
    if (!fitsArity(command, args.length)) return false;
    if (command.name === "get") return this.get(args[1]!, protocol);
    return this.#run(command, args, protocol);
  }

  #run(command: DataCommand, args: readonly Uint8Array[], protocol: 2 | 3): boolean {
    const { reader, limits, clock, metrics } = this.#context;
    try {
      if (command.readsValues && this.#isLong(command, args)) return false;
      const keys = new Keyspace(
        { read: (key) => this.#counted(reader.getEntrySync(key)), look: (key) => reader.stat(key) },
        clock.now(),
        limits,
      );
      const reply = command.run(keys, args);
      this.#encoder.begin(protocol);
      reply(this.#encoder);
    } catch {
      return false;
    }
    this.counts.commands++;
    metrics.commands.add(respCommand(args[0]!), "ok");
    return true;
  }

  /** The value; undefined if there is none, null if it is not for us to read. */
  #get(key: Uint8Array): Uint8Array | undefined | null {
    try {
      const value = this.#context.reader.getShort(key, VALUE_BYTES_MAX);
      return value === null ? null : this.#counted(value);
    } catch {
      return null;
    }
  }

  #isLong(command: DataCommand, args: readonly Uint8Array[]): boolean {
    let byteLength = 0;
    for (const key of keysOf(command, args)) {
      byteLength += this.#context.reader.stat(key)?.size ?? 0;
      if (byteLength > VALUE_BYTES_MAX) return true;
    }
    return false;
  }

  #counted<Found>(found: Found | undefined): Found | undefined {
    this.#context.gets[found === undefined ? "not_found" : "ok"]++;
    return found;
  }
}
