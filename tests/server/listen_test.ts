/** The same application on the server of the runtime that runs this test. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { connect } from "node:net";
import { test } from "node:test";
import { KvStore } from "../../lib/mod.ts";
import { systemClock } from "../../lib/clock.ts";
import { FailureLimit } from "../../lib/server/failure_limit.ts";
import {
  AccessControl,
  createApp,
  listen,
  loopbackAuthorities,
} from "../../lib/server/http/mod.ts";
import { rawExchange } from "../support/cairn_process.ts";
import { makeCertificate, opensslMissing } from "../support/certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const HERE = { hostname: "127.0.0.1", port: 0 };

test("listen: serves an application, refuses a foreign Host, and closes", async () => {
  using directory = new TemporaryDirectory();
  await using store = await KvStore.open(directory.path);
  const listener = listen({ ...HERE, fetch: (request) => app.fetch(request) });
  const app = createApp(store, { authorities: loopbackAuthorities("127.0.0.1", listener.port) });
  const put = await fetch(`${listener.url}/v1/kv/a`, { method: "PUT", body: "x" });
  assert.equal(put.status, 201);
  const got = await fetch(`${listener.url}/v1/kv/a`);
  assert.deepEqual([got.headers.get("content-length"), await got.text()], ["1", "x"]);
  const foreign = await rawExchange(listener.port, "GET /healthz HTTP/1.1\r\nHost: evil\r\n\r\n");
  assert.match(foreign, /^HTTP\/1\.1 421 /);
  await listener.close(1000);
  await assert.rejects(fetch(listener.url));
});

test("listen: close() waits for what is under way, but not for ever", async () => {
  let answer = () => {};
  const fetch = () =>
    new Promise<Response>((resolve) => answer = () => resolve(new Response("done")));
  const ask = async (port: number) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { socket, text: () => text };
  };

  const patient = listen({ ...HERE, fetch });
  const first = await ask(patient.port);
  const closed = patient.close(5000);
  setTimeout(() => answer(), 100);
  await closed;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.match(first.text(), /done$/);
  first.socket.destroy();

  const hasty = listen({ ...HERE, fetch });
  const second = await ask(hasty.port);
  const started = performance.now();
  await hasty.close(100);
  assert(performance.now() - started < 2000);
  answer();
  second.socket.destroy();
});

test("listen: an address in use is an error at once", async () => {
  const fetch = () => new Response();
  const first = listen({ ...HERE, fetch });
  assert.throws(
    () => listen({ hostname: "127.0.0.1", port: first.port, fetch }),
    { code: "EADDRINUSE" },
  );
  await first.close(100);
});

test("listen: bytes that no client of good will sends are refused, and it goes on", async () => {
  using directory = new TemporaryDirectory();
  await using store = await KvStore.open(directory.path);
  const listener = listen({
    ...HERE,
    fetch: (request, connection) => app.fetch(request, connection),
  });
  const app = createApp(store, { authorities: loopbackAuthorities("127.0.0.1", listener.port) });
  const host = `Host: 127.0.0.1:${listener.port}\r\n`;
  const put = (headers: string, body: string) =>
    `PUT /v1/kv/a HTTP/1.1\r\n${host}${headers}\r\n${body}`;
  const hostile = [
    put("Content-Length: 1\r\nContent-Length: 2\r\n", "xy"),
    put("Transfer-Encoding: chunked\r\n", "zz\r\nx\r\n0\r\n\r\n"),
    put("Transfer-Encoding: xchunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
    put("X: a\0b\r\n", ""),
    put("Content-Length: -1\r\n", ""),
    `GET /healthz HTTP/1.1\r\n${host}${host}\r\n`,
    `GET /healthz HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\nHost: evil.example\r\n${host}\r\n`,
    `GET /healthz HTTP/1.1\r\n${host}Origin: https://evil.example\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${host}Sec-Fetch-Site: cross-site\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\n${host}X: ${"a".repeat(2_000_000)}\r\n\r\n`,
  ];
  for (const request of hostile) {
    const answer = await rawExchange(listener.port, request);
    assert.match(answer, /^(?:HTTP\/1\.1 4\d\d |$)/, request.slice(0, 200));
    const health = await fetch(`${listener.url}/healthz`);
    assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
  }
  assert.equal(store.size, 0);
  await listener.close(1000);
});

test("listen: tokens; who sent a wrong one is known by address", async () => {
  using directory = new TemporaryDirectory();
  await using store = await KvStore.open(directory.path);
  const seen: unknown[] = [];
  const note = (_message: string, { address }: Record<string, unknown>) => seen.push(address);
  const logger = { debug: note, info: note, warn: note, error: note };
  const full = "0123456789abcdef0123456789abcdef";
  const access = new AccessControl({ full }, new FailureLimit(systemClock, logger));
  const listener = listen({
    ...HERE,
    fetch: (request, connection) => app.fetch(request, connection),
  });
  const authorities = loopbackAuthorities("127.0.0.1", listener.port);
  const app = createApp(store, { authorities, access });
  const status = async (authorization: string) => {
    const response = await fetch(`${listener.url}/v1/kv/a`, { headers: { authorization } });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(`Bearer ${full}`), 404);
  assert.equal(await status("Bearer wrong"), 401);
  assert.deepEqual(seen, ["127.0.0.1"]);
  await listener.close(1000);
});

test(
  "listen: beyond the maximum of requests under way, 503 at once",
  { timeout: 60_000 },
  async () => {
    using directory = new TemporaryDirectory();
    await using store = await KvStore.open(directory.path);
    const listener = listen({
      ...HERE,
      fetch: (request, connection) => app.fetch(request, connection),
    });
    const authorities = loopbackAuthorities("127.0.0.1", listener.port);
    const app = createApp(store, { authorities, requestsMax: 2 });
    const head =
      `PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1:${listener.port}\r\nContent-Length: 5\r\n\r\n`;
    const waiting = await Promise.all([1, 2].map(async () => {
      const socket = connect(listener.port, "127.0.0.1");
      await once(socket, "connect");
      socket.on("error", () => {});
      socket.write(head);
      return socket;
    }));
    const status = async () => {
      const response = await fetch(`${listener.url}/healthz`);
      await response.body?.cancel();
      return response.status;
    };
    while (await status() !== 503);
    for (const socket of waiting) socket.destroy();
    while (await status() !== 200);
    await listener.close(1000);
  },
);

testUnless(opensslMissing, "listen: HTTPS, and plain HTTP on its port is closed", async () => {
  using directory = new TemporaryDirectory();
  const { cert, key } = makeCertificate(directory, "listen");
  const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  const listener = listen({ ...HERE, tls, fetch: () => new Response("secret") });
  assert.match(listener.url, /^https:/);
  const body = await new Promise((resolve, reject) => {
    get(`${listener.url}/`, { ca: tls.cert, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
  assert.equal(body, "secret");
  const plain = await rawExchange(listener.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.doesNotMatch(plain, /secret|HTTP/);
  await listener.close(1000);
});
