/** Sockets of Bun: short writes are gathered, in order, and nothing of them is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { type BunRuntime, listenOnBun } from "../../lib/server/tcp/listen_bun.ts";
import type { Transport, TransportEvents } from "../../lib/server/tcp/transport.ts";
import { bytesOf, latin1 } from "./fed_parser.ts";

type Handlers = Parameters<BunRuntime["listen"]>[0]["socket"];
type Socket = Parameters<Handlers["open"]>[0];

/** What Bun does of a socket. */
class FakeSocket {
  data: unknown;
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 1;
  readonly localAddress = "192.0.2.2";
  readonly localPort = 2;
  /** How many bytes it takes; below zero if the connection is gone. */
  room = Infinity;
  readonly done: string[] = [];

  write(bytes: Uint8Array, offset: number, length: number): number {
    if (this.room < 0) return -1;
    const count = Math.min(length, this.room);
    this.room -= count;
    this.done.push(latin1(bytes.subarray(offset, offset + count)));
    return count;
  }

  setNoDelay = () => true;
  setKeepAlive = () => true;
  pause = () => void this.done.push("<pause>");
  resume = () => void this.done.push("<resume>");
  shutdown = () => void this.done.push("<shutdown>");
  end = () => void this.done.push("<end>");
  terminate = () => void this.done.push("<terminate>");
}

/** A listener, and what is needed to connect to it. */
class World {
  readonly drained: Transport[] = [];
  #handlers!: Handlers;
  #accepted!: Transport;

  constructor() {
    const accept = (transport: Transport): TransportEvents => {
      this.#accepted = transport;
      const drained = () => void this.drained.push(transport);
      return { received() {}, drained, ended() {}, closed() {} };
    };
    const listen: BunRuntime["listen"] = ({ socket }) => {
      this.#handlers = socket;
      return { port: 1, stop() {} };
    };
    listenOnBun({ listen }, { hostname: "", port: 0, tls: undefined, accept });
  }

  connect(): { socket: FakeSocket; transport: Transport } {
    const socket = new FakeSocket();
    this.#handlers.open(socket as unknown as Socket);
    return { socket, transport: this.#accepted };
  }

  data(socket: FakeSocket): void {
    this.#handlers.data(socket as unknown as Socket, bytesOf("x"));
  }

  drain(socket: FakeSocket, room: number): void {
    socket.room = room;
    this.#handlers.drain(socket as unknown as Socket);
  }
}

function write(transport: Transport, text: string): number {
  return transport.write(bytesOf(`<${text}>`), 1, 1 + text.length);
}

const soon = () => new Promise((resolve) => setImmediate(resolve));
const LONG = "x".repeat(5000);

test("Bun: short writes of one turn are made together, at its end or when there are some", async () => {
  const world = new World();
  const clients = Array.from({ length: 25 }, () => world.connect());
  const done = () => clients.filter(({ socket }) => socket.done.length > 0).length;
  clients.forEach(({ transport }, index) => {
    assert.equal(write(transport, `reply ${index}`), `reply ${index}`.length);
    assert.equal(done(), 10 * Math.floor((index + 1) / 10));
  });
  await soon();
  clients.forEach(({ socket }, index) => assert.deepEqual(socket.done, [`reply ${index}`]));
});

test("Bun: nothing overtakes what was gathered", async () => {
  const world = new World();
  const [a, b] = [world.connect(), world.connect()];
  assert.equal(write(a.transport, "1"), 1);
  assert.equal(write(b.transport, "2"), 1);
  assert.equal(write(a.transport, LONG), LONG.length);
  assert.equal(write(a.transport, "3"), 1);
  assert.equal(write(a.transport, "4"), 1);
  a.transport.end();
  assert.deepEqual(a.socket.done, ["1", LONG, "3", "4", "<shutdown>"]);
  write(b.transport, "5");
  b.transport.destroy();
  assert.deepEqual(b.socket.done, ["2", "5", "<terminate>"]);
  await soon();
  assert.deepEqual([a.socket.done.length, b.socket.done.length], [5, 3]);
});

for (const [how, last] of [["end", "<shutdown>"], ["close", "<end>"]] as const) {
  test(`Bun: what a socket does not take is sent when it does, and then comes ${last}`, async () => {
    const world = new World();
    const { socket, transport } = world.connect();
    socket.room = 2;
    assert.equal(write(transport, "12345"), 5);
    await soon();
    assert.deepEqual(socket.done, ["12"]);
    assert.deepEqual([write(transport, "6"), write(transport, LONG)], [0, 0]);
    transport[how]();
    world.drain(socket, 1);
    assert.deepEqual(socket.done, ["12", "3"]);
    world.drain(socket, 9);
    assert.deepEqual(socket.done, ["12", "3", "45", last]);
    assert.equal(world.drained.length, 0);
  });
}

test("Bun: who could not write is told when there is room again", async () => {
  const world = new World();
  const { socket, transport } = world.connect();
  socket.room = 0;
  write(transport, "1");
  await soon();
  assert.equal(write(transport, "2"), 0);
  world.drain(socket, 9);
  assert.equal(world.drained.length, 1);
  assert.equal(write(transport, "2"), 1);
  await soon();
  assert.deepEqual(socket.done, ["", "1", "2"]);
});

test("Bun: what was gathered for a client that has gone is forgotten", async () => {
  const world = new World();
  const { socket, transport } = world.connect();
  write(transport, "1");
  socket.room = -1;
  await soon();
  assert.equal(write(transport, "2"), 1);
  transport.end();
  assert.deepEqual(socket.done, ["<shutdown>"]);
});

test("Bun: the event loop looks for more when a chunk came", () => {
  const { defer } = systemClock;
  const world = new World();
  const { socket } = world.connect();
  let deferred = 0;
  systemClock.defer = () => void deferred++;
  try {
    world.data(socket);
    assert.equal(deferred, 1);
  } finally {
    systemClock.defer = defer;
  }
});
