/** The client of `--url`: what it makes of servers that are not as they should be. */

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { HttpClient } from "../../lib/cli/target/http_client.ts";
import { cairn, cairnFails, startServer } from "../support/cairn_process.ts";
import { startAnswering } from "../support/stalling_server.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("client: whoever stops reading early lets go of the connection", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = await startAnswering((_request, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const more = () => void response.write(`{"key":"${"k".repeat(1000)}"}\n`);
    response.on("drain", more);
    response.on("close", closed.resolve);
    more();
  });
  const client = new HttpClient({ url: new URL(server.url), token: undefined, ca: undefined });
  const lines = client.lines<{ key: string }>({ path: "/v1/kv" }, "key", "the listing");
  for await (const { key } of lines) {
    assert.equal(key.length, 1000);
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
