/** A RESP service on a store in memory, and clients that talk to it without a connection. */

import assert from "node:assert/strict";
import { RespService, type RespServiceOptions } from "../../lib/server/tcp/resp/resp_service.ts";
import type { Session } from "../../lib/server/tcp/resp/session.ts";
import { joinHostPort } from "../../lib/server/tcp/transport.ts";
import type { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { SessionQueue } from "./session_queue.ts";
import { SeededRandom } from "./seeded_random.ts";
import { TestClock } from "./test_clock.ts";
import { openInMemory } from "./test_store.ts";
import { textOf, wordsOf } from "./resp_text.ts";

/** One client. */
export class RespPeer {
  readonly session: Session;
  readonly #queue: SessionQueue;

  constructor(service: RespService, id: number, host = "127.0.0.1") {
    this.session = service.open({
      id,
      remoteAddress: joinHostPort(host, 40_000 + id),
      localAddress: "127.0.0.1:8621",
    });
    this.#queue = new SessionQueue(this.session);
  }

  /** Sends a command, and returns its reply as text. What it was given is overwritten at once. */
  async send(command: string | Uint8Array[]): Promise<string> {
    const args = typeof command === "string" ? wordsOf(command) : command;
    const views = args.map((arg) => new Uint8Array(arg));
    const reply = this.#queue.execute(views);
    for (const view of views) view.fill(0xee);
    return textOf(await reply, this.session.protocol);
  }

  /** Sends commands without waiting for replies in between. */
  pipeline(...commands: string[]): Promise<string[]> {
    return Promise.all(commands.map((command) => this.send(command)));
  }

  /** Sends commands, each with the reply that it must have. */
  async expect(...exchanges: (readonly [command: string, reply: string])[]): Promise<void> {
    for (const [command, reply] of exchanges) {
      assert.equal(await this.send(command), reply, command);
    }
  }
}

/** What a test may want different. */
export interface RespWorldOptions extends RespServiceOptions {
  store?: OpenOptions;
  fileSystem?: FileSystem;
}

/** A store, a service on it, and as many clients as are asked for. */
export class RespWorld implements AsyncDisposable {
  readonly store: KvStore;
  readonly service: RespService;
  readonly clock: TestClock;
  #peers = 0;

  private constructor(store: KvStore, service: RespService, clock: TestClock) {
    this.store = store;
    this.service = service;
    this.clock = clock;
  }

  static async open(options: RespWorldOptions = {}): Promise<RespWorld> {
    const clock = new TestClock();
    const { store: storeOptions, fileSystem, ...rest } = options;
    const store = await openInMemory({ clock, ...storeOptions }, fileSystem);
    const random = new SeededRandom(1);
    return new RespWorld(store, new RespService(store, { clock, random, ...rest }), clock);
  }

  /** Another client. */
  peer(host?: string): RespPeer {
    return new RespPeer(this.service, ++this.#peers, host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}
