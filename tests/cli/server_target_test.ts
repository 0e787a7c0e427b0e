/** Data commands on a running server: the same answers and exit codes as on a directory. */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { test } from "node:test";
import { cairn, cairnFails, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

test("a server: the commands do as on a directory", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("s"));
  const at = ["--url", server.url];
  await cairn(["set", "a", "1", ...at]);
  await cairn(["set", "b", ...at], { stdin: new Uint8Array([0, 255, 10]) });
  await cairn(["set", "c", "3", "--ttl", "1h", ...at]);
  assert.deepEqual((await cairn(["get", "b", ...at])).stdout, new Uint8Array([0, 255, 10]));
  const entry = JSON.parse((await cairn(["get", "c", "--json", ...at])).text);
  assert.deepEqual([entry.value, entry.version], ["3", 3]);
  assert(entry.expiresAt > Date.now());
  assert.equal((await cairn(["list", "--reverse", "--limit", "2", ...at])).text, "c\nb\n");
  assert.equal((await cairn(["list", "--limit", "0", ...at])).text, "");
  assert.equal(
    (await cairn(["list", "--start", "a", "--end", "b", "--values", ...at])).text,
    "a\t1\n",
  );
  assert.match(await cairnFails(1, ["set", "a", "2", "--if-absent", ...at]), /exists already/);
  assert.match(await cairnFails(1, ["set", "a", "2", "--if-version", "9", ...at]), /version/);
  await cairn(["set", "a", "2", "--if-version", "1", ...at]);
  assert.match(await cairnFails(1, ["get", "no", ...at]), /there is no key "no" at http:/);
  assert.match(await cairnFails(1, ["del", "c", "no", ...at]), /no key "no" .*others are deleted/);
  await cairn(["flush", ...at]);
  assert.equal(JSON.parse((await cairn(["stats", "--json", ...at])).text).keys, 2);
  await cairn(["compact", ...at]);
  assert.match((await cairn(["stats", ...at])).text, /^compaction +1 since opening, the last/m);
  assert.match((await cairn(["stats", ...at])).text, /^keys +2$/m);
});

test("a server: keys that a path cannot hold", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("s"));
  const at = ["--url", server.url];
  for (const key of [".", "..", "a/../b", "é%2F?#", "line\nbreak", "k".repeat(30_000)]) {
    await cairn(["set", key, "1", "--if-absent", ...at]);
    await cairnFails(1, ["set", key, "1", "--if-absent", ...at]);
    assert.equal((await cairn(["get", key, ...at])).text, "1");
    await cairn(["del", key, ...at]);
    await cairnFails(1, ["get", key, ...at]);
    await cairnFails(1, ["del", key, ...at]);
  }
  assert.match(await cairnFails(2, ["set", "", "1", ...at]), /empty/);
});

test("a server: tokens come from files or the environment", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.join("token");
  writeFileSync(file, `${TOKEN}\n`);
  chmodSync(file, 0o600);
  await using server = await startServer(directory.join("s"), [], { env: { CAIRN_TOKEN: TOKEN } });
  const env = { CAIRN_URL: server.url };
  assert.match(await cairnFails(3, ["list"], { env }), /wants a token: give it in CAIRN_TOKEN/);
  await cairn(["set", "a", "1", "--token-file", file], { env });
  assert.equal((await cairn(["list"], { env: { ...env, CAIRN_TOKEN: TOKEN } })).text, "a\n");
  const wrong = await cairnFails(3, ["list"], { env: { ...env, CAIRN_TOKEN: "x".repeat(40) } });
  assert.match(wrong, /does not accept the token/);
  assert(!wrong.includes("xxx"));
  chmodSync(file, 0o644);
  assert.match(await cairnFails(2, ["list", "--token-file", file], { env }), /chmod 600/);
});

test("a server that is not there, or is another one: exit code 3, and what to do", async () => {
  assert.match(
    await cairnFails(3, ["get", "a", "--url", "http://127.0.0.1:1"]),
    /cannot reach http:\/\/127\.0\.0\.1:1: nothing listens there; start the server with/,
  );
  const other = createServer((_request, response) => response.writeHead(404).end("<html>"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  assert.match(await cairnFails(3, ["get", "a", "--url", url]), /does not answer as Cairn does/);
  await new Promise((resolve) => other.close(resolve));
});

const mistakes: [args: string[], env: Record<string, string>, message: RegExp][] = [
  [["list", "--url", "x:1"], {}, /Give the address of a server/],
  [["list", "--url", "http://u:p@host"], {}, /must hold no secret/],
  [["list", "--url", "http://a", "--db", "b"], {}, /exclude each other/],
  [["list"], { CAIRN_URL: "http://a", CAIRN_DB: "b" }, /both CAIRN_DB and CAIRN_URL are set/],
  [["verify", "--url", "http://a"], {}, /no use for --url/],
  [["list", "--token", "x"], {}, /unknown option '--token'/],
  [["put", "a"], {}, /Did you mean set\?/],
  [["exprot", "a"], {}, /Did you mean export\?/],
  [["help", "rm"], {}, /Did you mean del\?/],
  [["watch", "--since", "-1"], {}, /whole number/],
  [["import", "f", "--on-error", "cry"], {}, /stop, skip/],
  [["import", "f", "--delimiter", "ab"], {}, /one character/],
];
for (const [args, env, message] of mistakes) {
  test(`usage: cairn ${args.join(" ")} ${Object.keys(env).join(" ")}`, async () => {
    assert.match(await cairnFails(2, args, { env }), message);
  });
}

test("a directory in use: the error names the address of the server", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const { url } = server;
  const error = await cairnFails(5, ["set", "a", "1", "--db", directory.path]);
  // It was told to take a free port, and only it knows which that is.
  assert.match(error, /in use by .*: stop it, or if it is a server, name it with --url/);
  await server.stop();
  const { host } = new URL(url);
  await using again = await startServer(directory.path, ["--http", host]);
  assert.equal(again.url, url);
  const named = await cairnFails(5, ["set", "a", "1", "--db", directory.path]);
  if (process.platform !== "linux") return; // elsewhere nobody tells
  assert(named.includes(`stop it, or reach it with --url ${url} instead`), named);
});
