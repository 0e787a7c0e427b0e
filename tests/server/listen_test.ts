/** The same application on the server of the runtime that runs this test. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { KvStore } from "../../lib/mod.ts";
import { createApp, listen, loopbackAuthorities } from "../../lib/server/http/mod.ts";
import { rawExchange } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

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
