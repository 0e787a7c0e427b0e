/** The executable's service as seen on the wire, where no client library tidies things up. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { cairn, rawExchange, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function request(
  server: ServerProcess,
  line: string,
  headers: Record<string, string> = {},
  body = "",
): string {
  const all = { Host: `127.0.0.1:${server.port}`, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${line} HTTP/1.1\r\n${lines}\r\n${body}`;
}

function statusOf(response: string): number {
  return Number(/^HTTP\/1\.\d (\d{3})/.exec(response)?.[1]);
}

test("wire: a value by fetch, byte for byte, with headers of both directions", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const value = Uint8Array.from({ length: 2_000_003 }, (_, index) => (index * 7) & 0xff);
  const url = `${server.url}/v1/kv/${encodeURIComponent("päth/with space")}`;
  const put = await fetch(url, { method: "PUT", body: value });
  assert.deepEqual([put.status, put.headers.get("etag")], [201, '"1"']);
  const got = await fetch(url);
  assert.equal(got.headers.get("content-length"), "2000003");
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), value);
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "2000003");
  assert.equal((await fetch(url, { headers: { "if-none-match": '"1"' } })).status, 304);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "päth/with space\n");
  assert.equal((await fetch(url, { method: "DELETE" })).status, 204);
  const missing = await fetch(url);
  assert.deepEqual([missing.status, (await missing.json()).code], [404, "NotFound"]);
});

test("wire: foreign Host and Origin are refused before anything happens", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const put = (headers: Record<string, string>, path = "/v1/kv/a") =>
    rawExchange(
      server.port,
      request(server, `PUT ${path}`, { ...headers, "Content-Length": "1" }, "x"),
    );
  assert.equal(statusOf(await put({ Host: "evil.example" })), 421);
  assert.equal(statusOf(await put({ Host: `evil.example:${server.port}` })), 421);
  assert.equal(statusOf(await put({ Host: "x/../y?z" })), 421);
  assert.equal(statusOf(await put({ Host: "localhost:1" })), 421);
  assert.equal(statusOf(await put({ Origin: "https://evil.example" })), 403);
  assert.equal(statusOf(await put({ Origin: "null" })), 403);
  assert.equal(statusOf(await put({ "Sec-Fetch-Site": "cross-site" })), 403);
  assert.equal(statusOf(await put({}, "http://evil.example/v1/kv/absolute-form")), 201);
  for (const path of ["/healthz", "/nowhere"]) {
    const response = await rawExchange(
      server.port,
      request(server, `GET ${path}`, { Host: "evil.example" }),
    );
    assert.equal(statusOf(response), 421);
  }
  const old = await rawExchange(server.port, "GET /v1/kv/a HTTP/1.0\r\n\r\n");
  assert.equal(statusOf(old), 421);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "absolute-form\n");
});

test("wire: one host header too many is refused", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const both = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nHost: evil\r\n\r\n`;
  assert([400, 421].includes(statusOf(await rawExchange(server.port, both))));
});

test("wire: 413 comes before the body, and the service goes on", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const declared = request(server, "PUT /v1/kv/a", { "Content-Length": "67108865" }, "some of it");
  const response = await rawExchange(server.port, declared);
  assert.equal(statusOf(response), 413);
  assert.match(response, /"code":"ValueTooLarge"/);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});

test("wire: a body without a length is cut off at the maximum", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  let response = "";
  socket.on("data", (data: Uint8Array) => response += new TextDecoder().decode(data));
  socket.write(request(server, "PUT /v1/kv/a", { "Transfer-Encoding": "chunked" }));
  const chunk = new Uint8Array(1 << 20).fill(120);
  let sent = 0;
  // Far more than the maximum: a service that reads on would take it all.
  while (response === "" && sent < 1000 && !socket.destroyed) {
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    if (!socket.write("\r\n")) await new Promise((resolve) => setTimeout(resolve, 1));
    sent++;
  }
  // What it answered is lost with the connection if bytes were still on their way then.
  assert(response === "" ? socket.destroyed : statusOf(response) === 413, response);
  socket.destroy();
  assert(sent < 1000);
  assert.equal((await fetch(`${server.url}/v1/kv/a`)).status, 404);
});

test("wire: an upload that breaks off stores nothing", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const bodies: [headers: Record<string, string>, body: string][] = [
    [{ "Content-Length": "100" }, "half of it"],
    [{ "Transfer-Encoding": "chunked" }, "5\r\nhello\r\n"],
  ];
  for (const [headers, body] of bodies) {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(request(server, "PUT /v1/kv/half", headers, body));
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal((await fetch(`${server.url}/v1/kv/half`)).status, 404);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "");
});

test("wire: keys that clients would tidy up", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const put = async (path: string) =>
    statusOf(
      await rawExchange(
        server.port,
        request(server, `PUT ${path}`, { "Content-Length": "1" }, "x"),
      ),
    );
  assert.equal(await put("/v1/kv/a%2F..%2Fb"), 201);
  assert.equal(await put("/v1/kv/x//y/"), 201);
  assert.equal(await put("/v1/kv/%252e%252e"), 201);
  assert.equal(await put("/v1/kv/%5C"), 201);
  assert.equal(await put("/v1/kv/%FF"), 400);
  assert.equal(await put("/v1/kv/"), 400);
  // Steps in the path are taken by servers even when encoded: they must never name another key.
  assert.notEqual(await put("/v1/kv/.."), 201);
  assert.notEqual(await put("/v1/kv/%2e%2e"), 201);
  const { text } = await cairn(["list", "--json", "--db", directory.path]);
  const keys = text.trimEnd().split("\n").map((line) => JSON.parse(line).key);
  assert.deepEqual(keys, ["%2e%2e", "\\", "a/../b", "x//y/"]);
});

test("wire: one request after the other on one connection, also after a refusal", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  const statuses: number[] = [];
  for (
    const message of [
      // Refused without its body being read, which must not be taken for the next request.
      request(server, "PUT /v1/kv/%FF", { "Content-Length": "5" }, "GET /"),
      request(server, "PUT /v1/kv/a", { "Content-Length": "1" }, "x"),
      request(server, "GET /v1/kv/a"),
    ]
  ) {
    socket.write(message);
    const [response] = await once(socket, "data") as [Uint8Array];
    statuses.push(statusOf(new TextDecoder().decode(response)));
  }
  socket.destroy();
  assert.deepEqual(statuses, [400, 201, 200]);
});

test("wire: a smuggled second request is not taken for one", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const smuggled = request(server, "PUT /v1/kv/smuggled", { "Content-Length": "1" }, "x");
  const response = await rawExchange(
    server.port,
    request(server, "PUT /v1/kv/a", {
      "Content-Length": "5",
      "Transfer-Encoding": "chunked",
    }, `0\r\n\r\n${smuggled}`),
  );
  assert.equal(statusOf(response), 400);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "");
});
