/** Sends requests byte for byte to a running server, and takes its answers apart. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";

/** What is sent. Headers are sent in this order, as often as they are there. */
export interface WireRequest {
  method: string;
  /** As it is to stand in the request line. */
  target: string;
  /** Without Host, that of the server is sent. */
  headers?: [name: string, value: string][];
  /** With a Content-Length, unless there is one. */
  body?: string | Uint8Array;
}

/** What came back. */
export interface WireResponse {
  status: number;
  /** Names in lower case. Nothing that is checked here comes more than once. */
  headers: Map<string, string>;
  /** Without the framing of chunks. */
  body: Uint8Array;
  text: string;
}

/** Asks over a connection of its own, and waits until the server closes it. */
export async function askWire(port: number, request: WireRequest): Promise<WireResponse> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.on("error", () => {}); // it may close before it has read everything
  socket.write(headOf(port, request));
  if (request.body !== undefined) socket.write(request.body);
  await new Promise((resolve) => socket.once("close", resolve));
  return parseResponse(Buffer.concat(chunks));
}

function headOf(port: number, { method, target, headers = [], body }: WireRequest): string {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const all = [...headers];
  if (!given.has("host")) all.unshift(["Host", `127.0.0.1:${port}`]);
  if (body !== undefined && !given.has("content-length") && !given.has("transfer-encoding")) {
    all.push(["Content-Length", String(Buffer.byteLength(body))]);
  }
  all.push(["Connection", "close"]);
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.1\r\n${lines}\r\n`;
}

function parseResponse(bytes: Uint8Array): WireResponse {
  const all = Buffer.from(bytes);
  const end = all.indexOf("\r\n\r\n");
  assert.notEqual(end, -1, `no whole answer came: ${all.toString("latin1").slice(0, 200)}`);
  const [statusLine, ...lines] = all.subarray(0, end).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1]);
  // The body that was asked for follows, where the server asked.
  if (status === 100) return parseResponse(all.subarray(end + 4));
  const headers = new Map(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const rest = all.subarray(end + 4);
  const isChunked = headers.get("transfer-encoding") === "chunked" && rest.length > 0;
  const body = new Uint8Array(isChunked ? unchunked(rest) : rest);
  return {
    status,
    headers,
    body,
    text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(body),
  };
}

function unchunked(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const length = parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    assert(Number.isInteger(length), "a chunk begins with its length");
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
