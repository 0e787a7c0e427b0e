/** What a server knows of one client that speaks RESP. */

import { hostOf } from "../transport.ts";
import type { Command } from "./command.ts";
import type { SessionConnection } from "./session.ts";
import type { RespService } from "./resp_service.ts";

/** What a client may do. */
export type Access = "none" | "read" | "full";

/** The state of a client beside its transaction, as commands about connections see and change it. */
export class RespClient {
  readonly service: RespService;
  readonly connection: SessionConnection;
  /** When it connected, in milliseconds since the epoch. */
  readonly connectedAt: number;
  /** When its last command came. */
  activeAt: number;
  /** Its last command. */
  lastCommand: Command | undefined;
  /** What it calls itself. */
  name = "";
  /** What its library calls itself. */
  libraryName = "";
  libraryVersion = "";
  protocol: 2 | 3 = 2;
  access: Access;
  /** It has asked to be let go. */
  isClosing = false;
  /** Its connection is gone. */
  isGone = false;
  /** Commands in its transaction; -1 outside of one. */
  queuedCommands = -1;
  #bytesHeld = 0;

  constructor(service: RespService, connection: SessionConnection) {
    this.service = service;
    this.connection = connection;
    this.connectedAt = service.clock.now();
    this.activeAt = this.connectedAt;
    this.access = service.access === undefined ? "full" : "none";
  }

  /** The address that it comes from, without the port. */
  get host(): string {
    return hostOf(this.connection.remoteAddress);
  }

  /** A command of it is executed. */
  noteCommand(command: Command): void {
    this.lastCommand = command;
    this.activeAt = this.service.clock.now();
  }

  /** Takes so many bytes of what all clients may hold together; false if there are not so many. */
  hold(byteLength: number): boolean {
    if (this.isGone || !this.service.hold(byteLength)) return false;
    this.#bytesHeld += byteLength;
    return true;
  }

  /** Gives back what {@link hold} took. */
  letGo(byteLength: number): void {
    const bytes = Math.min(byteLength, this.#bytesHeld);
    this.#bytesHeld -= bytes;
    this.service.letGo(bytes);
  }

  /** Its connection is gone, and nothing is held for it any more. */
  close(): void {
    this.isGone = true;
    this.letGo(this.#bytesHeld);
  }
}
