import assert from "node:assert/strict";
import { test } from "node:test";
import { cairn, CairnProcess, runCairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("watch: a line a change, live, until Ctrl-C", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const at = ["--url", server.url];
  await cairn(["set", "user:1", "before", ...at]);
  await using watch = new CairnProcess([
    "watch",
    "--since",
    "0",
    "--prefix",
    "user:",
    "--values",
    ...at,
  ]);
  await watch.printed(/^1 set user:1\tbefore$/m);
  await cairn(["set", "other", "x", ...at]);
  await cairn(["del", "user:1", ...at]);
  await watch.printed(/^3 del user:1$/m);
  const { exitCode, text, stderr } = await watch.stop("SIGINT");
  assert.deepEqual([exitCode, text, stderr], [130, "1 set user:1\tbefore\n3 del user:1\n", ""]);
});

test("watch: goes on when the server comes back", async () => {
  using directory = new TemporaryDirectory();
  const server = await startServer(directory.path);
  const at = ["--url", server.url];
  await cairn(["set", "a", "1", ...at]);
  await using watch = new CairnProcess(["watch", "--since", "0", "--json", ...at]);
  await watch.printed(/"key":"a"/);
  await server.stop("SIGKILL");
  await cairn(["set", "b", "2", "--db", directory.path]);
  const { host } = new URL(server.url);
  await using _again = await startServer(directory.path, ["--http", host]);
  await watch.printed(/"key":"b"/);
  const { exitCode, text } = await watch.stop("SIGTERM");
  assert.equal(exitCode, 143);
  assert.deepEqual(text.trim().split("\n").map((line) => JSON.parse(line)), [
    { version: 1, op: "set", key: "a" },
    { version: 2, op: "set", key: "b" },
  ]);
});

test("watch: a directory that another process writes to", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  await using watch = new CairnProcess(["watch", "--since", "0", ...db]);
  await watch.printed(/^1 set a$/m);
  await cairn(["set", "b", "2", ...db]);
  await watch.printed(/^2 set b$/m);
  const { exitCode, text } = await watch.stop("SIGINT");
  assert.deepEqual([exitCode, text], [130, "1 set a\n2 set b\n"]);
});

test("watch: what was compacted away is explained", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--retain-changes", "0"];
  await using server = await startServer(directory.path, args);
  const at = ["--url", server.url];
  for (const command of [["set", "a", "1"], ["set", "b", "1"], ["del", "a"], ["set", "c", "1"]]) {
    await cairn([...command, ...at]);
  }
  await cairn(["compact", ...at]);
  for (const place of [at, ["--db", directory.path]]) {
    const { exitCode, stderr } = await runCairn(["watch", "--since", "1", ...place]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^cairn: not all changes after version 1 .*--since that version.*\n$/);
  }
});
