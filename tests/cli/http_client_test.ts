/** The client of `--url`: what it makes of servers that are not as they should be. */

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { HttpClient } from "../../lib/cli/target/http_client.ts";
import { cairn, cairnFails, startServer } from "../support/cairn_process.ts";
import { startAnswering } from "../support/stalling_server.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** An endless stream that notes whether it was let go. */
class Endless implements AsyncIterable<number>, AsyncIterator<number> {
  isLetGo = false;
  #count = 0;

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return this;
  }

  next(): Promise<IteratorResult<number>> {
    return Promise.resolve({ done: false, value: this.#count++ });
  }

  return(): Promise<IteratorResult<number>> {
    this.isLetGo = true;
    return Promise.resolve({ done: true, value: undefined });
  }
}

test("client: whoever stops reading early lets go of the answer", async () => {
  const url = new URL("http://127.0.0.1:1");
  const client = new HttpClient({ url, token: undefined, ca: undefined });
  const left = new Endless();
  for await (const count of client.read(left, "the listing")) if (count === 2) break;
  assert(left.isLetGo);
  const failed = new Endless();
  await assert.rejects(async () => {
    for await (const _count of client.read(failed, "the listing")) throw new Error("the reader's");
  }, /^Error: the reader's$/);
  assert(failed.isLetGo);
});

test("client: the server sees that nobody reads any more", async () => {
  const closed = Promise.withResolvers<void>();
  let lines = 0;
  await using server = await startAnswering((_request, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const timer = setInterval(() => void response.write(`{"key":"${lines++}"}\n`), 1);
    response.on("close", () => {
      clearInterval(timer);
      closed.resolve();
    });
  });
  const client = new HttpClient({ url: new URL(server.url), token: undefined, ca: undefined });
  const request = { path: "/v1/kv" };
  for await (const { key } of client.lines<{ key: string }>(request, "key", "the listing")) {
    assert.equal(key, "0");
    break;
  }
  await closed.promise;
});

test("del --json: the version, of a directory and of a server", async () => {
  using directory = new TemporaryDirectory();
  const store = directory.join("store");
  await using server = await startServer(store);
  const at = ["--url", server.url];
  for (const key of ["a", "b", "."]) await cairn(["set", key, "1", ...at]);
  const deleted = async (key: string, place: string[]) =>
    JSON.parse((await cairn(["del", key, "--json", ...place])).text).deleted;
  assert.deepEqual(await deleted("a", at), [{ key: "a", version: 4 }]);
  assert.deepEqual(await deleted(".", at), [{ key: ".", version: 5 }]);
  await server.stop();
  assert.deepEqual(await deleted("b", ["--db", store]), [{ key: "b", version: 6 }]);
});

const COMMANDS = [
  ["get", "a"],
  ["set", "a", "1"],
  ["del", "a"],
  ["list"],
  ["export", "-"],
  ["watch"],
  ["stats"],
  ["flush"],
  ["compact"],
  ["backup", "copy"],
  ["bench", "--ops", "1"],
];

const NONSENSE: Record<string, RequestListener> = {
  "a page": (_request, response) => response.writeHead(200, { etag: '"abc"' }).end("<html>\n"),
  "other JSON": (request, response) => {
    const isList = request.headers.accept?.includes("ndjson");
    response.writeHead(200, {
      "content-type": isList ? "application/x-ndjson" : "application/json",
    });
    response.end(isList ? "[1]\n" : "null");
  },
  "JSON that is none": (request, response) => {
    const isList = request.headers.accept?.includes("ndjson");
    response.writeHead(200, {
      "content-type": isList ? "application/x-ndjson" : "application/json",
    });
    response.end("{\n");
  },
  "a redirection": (_request, response) => response.writeHead(302, { location: "/login" }).end(),
  "an error without a problem": (_request, response) => response.writeHead(500).end("oops"),
  "a problem that is none": (_request, response) =>
    response.writeHead(400, { "content-type": "application/problem+json" }).end("[]"),
};
for (const [what, listener] of Object.entries(NONSENSE)) {
  test(`a server that answers ${what}: exit code 3 and one line, of every command`, async () => {
    using directory = new TemporaryDirectory();
    await using server = await startAnswering((request, response) => {
      // Nothing more is sent on a connection whose request was not read.
      request.resume().on("end", () => listener(request, response));
    });
    await Promise.all(COMMANDS.map(async (args) => {
      const options = { cwd: directory.path };
      const error = await cairnFails(3, [...args, "--url", server.url], options);
      assert.match(error, /does not answer as Cairn does \(status \d+\): check --url/, args[0]);
    }));
    const stdin = '{"key":"a","value":"1"}\n';
    const imported = await cairnFails(3, ["import", "-", "--url", server.url], { stdin });
    assert.match(imported, /does not answer as Cairn does/);
  });
}

test("a server that breaks off: exit code 3 and one line, of every command", async () => {
  using directory = new TemporaryDirectory();
  for (
    const listener of [
      (_request, response) => void response.socket?.destroy(),
      (request, response) => {
        const isList = request.headers.accept?.includes("ndjson");
        const isBackup = request.url?.includes("backup");
        const type = isList ? "x-ndjson" : isBackup ? "x-tar" : "json";
        response.writeHead(200, {
          "content-type": `application/${type}`,
          "content-length": "100",
          etag: '"1"',
        });
        response.write("{", () => response.socket?.destroy());
      },
    ] satisfies RequestListener[]
  ) {
    await using server = await startAnswering(listener);
    await Promise.all(
      COMMANDS.map(async (args) => {
        await cairnFails(3, [...args, "--url", server.url], { cwd: directory.path });
      }),
    );
  }
});
