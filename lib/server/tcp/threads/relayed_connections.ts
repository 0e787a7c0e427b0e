/**
 * The connections that another thread has accepted, as the store's thread sees them: connections like
 * any other, whose bytes come from there and go there. So all that is counted and limited of
 * connections is counted and limited here, wherever they were accepted.
 */

import type { Clock } from "../../../clock.ts";
import type { RespCounts } from "../resp/resp_service.ts";
import type { Transport, TransportEvents, TurnedConnection } from "../transport.ts";
import { FRAME, FrameSender, numberAt, receiveFrames, type ThreadPort } from "./frames.ts";

/** Bytes of a connection's replies that may be on the way to its client's thread, or wait there. */
export const RELAY_WINDOW_BYTES = 128 << 10;

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

/** What is to be known of a client. */
export interface RelayedClient {
  remoteAddress: string;
  remoteHost: string;
  localAddress: string;
}

/** What the connections of another thread are given to. */
export interface RelayHost {
  accept(transport: Transport): TransportEvents | undefined;
  /** Takes what the other thread has counted of the commands that it answered. */
  count(counts: Partial<RespCounts>): void;
  clock: Clock;
}

/** Takes the connections that come by a port. */
export function hostConnections(port: ThreadPort, host: RelayHost): void {
  const sender = new FrameSender(port, host.clock);
  const transports = new Map<number, RelayedTransport>();
  receiveFrames(port, (kind, id, bytes, start, end) => {
    if (kind === FRAME.open) {
      const client = JSON.parse(decoder.decode(bytes.subarray(start, end))) as RelayedClient;
      const transport = new RelayedTransport(id, client, sender, () => transports.delete(id));
      transports.set(id, transport);
      transport.events = host.accept(transport);
    } else if (kind === FRAME.counts) {
      host.count(JSON.parse(decoder.decode(bytes.subarray(start, end))));
    } else {
      // None if it was cut off here while this was on the way.
      transports.get(id)?.received(kind, bytes, start, end);
    }
  });
}

class RelayedTransport implements Transport {
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly localAddress: string;
  /** Who is told; undefined if it was refused. */
  events: TransportEvents | undefined;
  readonly #id: number;
  readonly #sender: FrameSender;
  readonly #forget: () => void;
  /** Bytes sent of which it was not told yet that they were taken. */
  #underWay = 0;
  /** Whether more was to be written. */
  #isFull = false;
  /** Chunks that came; the other thread counts them too. */
  #chunks = 0;

  constructor(id: number, client: RelayedClient, sender: FrameSender, forget: () => void) {
    this.#id = id;
    this.remoteAddress = client.remoteAddress;
    this.remoteHost = client.remoteHost;
    this.localAddress = client.localAddress;
    this.#sender = sender;
    this.#forget = forget;
  }

  received(kind: number, bytes: Uint8Array, start: number, end: number): void {
    const { events } = this;
    if (kind === FRAME.data) {
      this.#chunks = (this.#chunks + 1) >>> 0;
      events?.received(bytes.subarray(start, end));
    } else if (kind === FRAME.taken) {
      this.#underWay -= numberAt(bytes, start);
      if (!this.#isFull) return;
      this.#isFull = false;
      events?.drained();
    } else if (kind === FRAME.active) {
      events?.received(NOTHING);
    } else if (kind === FRAME.ended) {
      events?.ended();
    } else if (kind === FRAME.closed) {
      this.#forget();
      events?.closed();
    }
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, RELAY_WINDOW_BYTES - this.#underWay);
    this.#isFull = count < end - start;
    if (count === 0) return 0;
    this.#underWay += count;
    this.#sender.send(FRAME.data, this.#id, bytes, start, start + count);
    return count;
  }

  turned({ isSettled, readsElsewhere }: TurnedConnection): void {
    if (!isSettled) return;
    this.#sender.sendNumbers(FRAME.settled, this.#id, this.#chunks, readsElsewhere);
  }

  pause(): void {
    this.#sender.send(FRAME.pause, this.#id);
  }

  resume(): void {
    this.#sender.send(FRAME.resume, this.#id);
  }

  end(): void {
    this.#sender.send(FRAME.end, this.#id);
  }

  close(): void {
    this.#sender.send(FRAME.close, this.#id);
  }

  destroy(): void {
    this.#forget();
    this.#sender.send(FRAME.destroy, this.#id);
  }
}
