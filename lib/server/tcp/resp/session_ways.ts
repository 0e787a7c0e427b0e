/** How a session executes the usual commands without a promise, a closure or a view for each. */

import { NOT_DIRECT } from "../../../mod.ts";
import type { CountedAccess } from "../../telemetry/counted_access.ts";
import type { Command } from "./command.ts";
import type { RespClient } from "./resp_client.ts";
import type { RespEncoder } from "./resp_encoder.ts";
import type { UsualWays } from "./session.ts";

/** Longer values are sent from where they are, and not copied once more. */
const VALUE_BYTES_MAX = 8 << 10;

const utf8 = new TextEncoder();
const GET = utf8.encode("get");
const SET = utf8.encode("set");

/** The ways of one session. */
export class SessionWays implements UsualWays {
  readonly #client: RespClient;
  readonly #access: CountedAccess;
  readonly #get: Command;
  readonly #set: Command;
  /** Version of the newest set of this session. */
  #lastSet = 0;

  constructor(client: RespClient, access: CountedAccess) {
    this.#client = client;
    this.#access = access;
    const { commands } = client.service;
    this.#get = commands.find(GET)!;
    this.#set = commands.find(SET)!;
  }

  /** Whether they may be used: not while each operation is to have a span. */
  get isOpen(): boolean {
    return this.#client.access === "full" && !this.#access.tracing.enabled;
  }

  /** Whether sets that were executed here do not count as done yet. */
  get hasSetsInFlight(): boolean {
    const { direct } = this.#access;
    return this.#lastSet > direct.acknowledged && direct.failure === undefined;
  }

  get(bytes: Uint8Array, keyStart: number, keyEnd: number, out: RespEncoder): boolean {
    const { direct, gets } = this.#access;
    const address = direct.find(bytes, keyStart, keyEnd);
    if (address === NOT_DIRECT) return false;
    const { counts } = this.#client.service;
    out.begin(this.#client.protocol);
    if (address === 0) {
      out.nullBulk();
      gets.not_found++;
      counts.misses++;
    } else {
      const length = direct.valueLength(address);
      if (length > VALUE_BYTES_MAX) return false;
      const at = out.beginBulk(length);
      try {
        direct.copyValue(address, out.memory, at);
      } catch {
        out.takeBulkBack();
        return false; // the session meets the same, and says it
      }
      out.endBulk();
      gets.ok++;
      counts.hits++;
    }
    counts.commands++;
    this.#client.noteCommand(this.#get);
    return true;
  }

  set(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const { direct } = this.#access;
    let version: number;
    try {
      version = direct.set(bytes, keyStart, keyEnd, valueStart, valueEnd);
    } catch {
      return NOT_DIRECT; // the session meets the same, and says it
    }
    if (version === NOT_DIRECT) return version;
    this.#lastSet = version;
    this.#client.service.counts.commands++;
    this.#client.noteCommand(this.#set);
    return version;
  }
}
