/**
 * A load of HTTP requests over raw sockets, in a process of its own: each connection sends its next
 * request when the answer to the last one is complete. Started by measures/http.ts, it prints a line of JSON.
 *
 *     bun bench/network/http_load.ts GET|PUT PORT CONNECTIONS MILLIS KEYS
 */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { makeKeys, makeValue } from "../workload.ts";

const VALUE_BYTES = 100;
const [method = "GET", port, connections, millis, keyCount] = process.argv.slice(2);
const keys = makeKeys(Number(keyCount));
const body = Buffer.from(makeValue(VALUE_BYTES));
const latencies = new Float64Array(4_000_000);
let answers = 0;
let failures = 0;
let next = 0;
let stopping = false;

function request(): Buffer {
  const path = `/v1/kv/${encodeURIComponent(keys[next++ % keys.length]!)}`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
  if (method === "GET") return Buffer.from(`${head}\r\n`);
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
}

/** Bytes of the answer that `received` begins with; 0 while it is not complete. */
function answerLength(received: Buffer): number {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return 0;
  const head = received.toString("latin1", 0, headEnd);
  const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const end = headEnd + 4 + bodyBytes;
  return received.length >= end ? end : 0;
}

function run(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(port), "127.0.0.1");
    socket.setNoDelay(true);
    let received: Buffer = Buffer.alloc(0);
    let sentAt = 0;
    const send = () => {
      if (stopping) return void socket.end();
      sentAt = performance.now();
      socket.write(request());
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const length = answerLength(received);
      if (length === 0) return;
      if (received[9] !== 0x32) failures++;
      received = received.subarray(length);
      latencies[answers++ % latencies.length] = performance.now() - sentAt;
      send();
    });
  });
}

const begin = performance.now();
const all = Promise.all(Array.from({ length: Number(connections) }, run));
setTimeout(() => stopping = true, Number(millis));
await all;
const seconds = (performance.now() - begin) / 1000;
const sorted = latencies.subarray(0, Math.min(answers, latencies.length)).sort();
const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
console.log(
  JSON.stringify({ answers, perSecond: answers / seconds, failures, p50: at(0.5), p99: at(0.99) }),
);
