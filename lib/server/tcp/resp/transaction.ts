/** The transaction of a session: commands that wait for `EXEC`, and keys that must not change. */

import { RESP_MULTI_COMMANDS_MAX } from "../../../limits.ts";
import { latin1 } from "./arguments.ts";
import type { ClientCommand, DataCommand } from "./command.ts";
import type { RespClient } from "./resp_client.ts";
import { RespError } from "./resp_error.ts";

/** What memory an argument takes beside its bytes, roughly. */
const ARGUMENT_BYTES = 128;

/** A command that waits for `EXEC`. */
export interface QueuedCommand {
  readonly command: DataCommand | ClientCommand;
  readonly args: readonly Uint8Array[];
}

/** A key that must not change before `EXEC`. */
export interface WatchedKey {
  readonly key: Uint8Array;
  /** Its version when it was first watched; 0 if it did not exist. */
  readonly version: number;
}

/** From `WATCH` or `MULTI` to `EXEC` or `DISCARD`. */
export class Transaction {
  readonly #client: RespClient;
  #queue: QueuedCommand[] | undefined;
  readonly #watched = new Map<string, WatchedKey>();
  #isBroken = false;
  #bytesHeld = 0;

  constructor(client: RespClient) {
    this.#client = client;
  }

  /** Whether commands are queued instead of executed. */
  get isOpen(): boolean {
    return this.#queue !== undefined;
  }

  /** Whether `EXEC` has to refuse, as a command was refused. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** The keys that are watched. */
  get watched(): readonly WatchedKey[] {
    return [...this.#watched.values()];
  }

  /** `MULTI`. */
  begin(): void {
    this.#queue = [];
    this.#client.queuedCommands = 0;
  }

  /** Notes that a command was refused, if there is a transaction. */
  noteRefused(): void {
    if (this.isOpen) this.#isBroken = true;
  }

  /** Queues a command with copies of its arguments. Throws if there are too many. */
  add(command: DataCommand | ClientCommand, args: readonly Uint8Array[]): void {
    const queue = this.#queue!;
    if (queue.length >= RESP_MULTI_COMMANDS_MAX) {
      throw new RespError(
        `ERR a transaction holds at most ${RESP_MULTI_COMMANDS_MAX} commands: use several`,
      );
    }
    this.#hold(args);
    queue.push({ command, args: copied(args) });
    this.#client.queuedCommands = queue.length;
  }

  /** Watches a key, unless it is watched already. */
  watch(key: Uint8Array, version: number): void {
    const name = latin1(key);
    if (this.#watched.has(name)) return;
    this.#hold([key]);
    this.#watched.set(name, { key: new Uint8Array(key), version });
  }

  /** `UNWATCH`. */
  unwatch(): void {
    if (this.#watched.size === 0) return;
    let byteLength = 0;
    for (const { key } of this.#watched.values()) byteLength += heldBytesOf([key]);
    this.#watched.clear();
    this.#bytesHeld -= byteLength;
    this.#client.letGo(byteLength);
  }

  /** Ends the transaction and returns what was queued and watched. */
  take(): { queue: readonly QueuedCommand[]; watched: readonly WatchedKey[] } {
    const queue = this.#queue ?? [];
    const { watched } = this;
    this.#queue = undefined;
    this.#watched.clear();
    this.#isBroken = false;
    this.#client.queuedCommands = -1;
    this.#client.letGo(this.#bytesHeld);
    this.#bytesHeld = 0;
    return { queue, watched };
  }

  #hold(args: readonly Uint8Array[]): void {
    const byteLength = heldBytesOf(args);
    if (!this.#client.hold(byteLength)) {
      throw new RespError("ERR transactions hold too many bytes: try again, or use smaller ones");
    }
    this.#bytesHeld += byteLength;
  }
}

/** Copies of arguments, which hold longer than those do. */
export function copied(args: readonly Uint8Array[]): Uint8Array[] {
  return args.map((arg) => new Uint8Array(arg));
}

function heldBytesOf(args: readonly Uint8Array[]): number {
  let byteLength = 0;
  for (const arg of args) byteLength += arg.length + ARGUMENT_BYTES;
  return byteLength;
}
