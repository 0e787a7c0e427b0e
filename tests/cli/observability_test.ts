/** What the running executable measures and logs. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import {
  CAIRN,
  cairn,
  cairnFails,
  runCairn,
  runInTerminal,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { parseExposition, valueOf } from "../server/prometheus_text.ts";

test("serve: /metrics adds up after some traffic", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const ask = async (method: string, key: string) => {
    const body = method === "PUT" ? "value" : undefined;
    const response = await fetch(`${server.url}/v1/kv/${key}`, { method, body: body ?? null });
    await response.body?.cancel();
    return response;
  };
  await Promise.all(Array.from({ length: 40 }, (_, index) => ask("PUT", `key-${index}`)));
  for (let index = 0; index < 10; index++) await ask("GET", `key-${index}`);
  assert.equal((await ask("GET", "none")).status, 404);
  const response = await fetch(`${server.url}/metrics`);
  const families = parseExposition(await response.text());
  const operations = (operation: string, result: string) =>
    valueOf(families, "cairn_operations_total", { operation, result });
  assert.equal(operations("set", "ok"), 40);
  assert.equal(operations("get", "ok"), 10);
  assert.equal(operations("get", "not_found"), 1);
  assert.equal(valueOf(families, "cairn_keys"), 40);
  assert.equal(valueOf(families, "cairn_group_commit_writes_sum"), 40);
  assert(valueOf(families, "cairn_sync_duration_seconds_sum") > 0);
  assert.equal(valueOf(families, "cairn_http_request_bytes_total"), 40 * "value".length);
  const route = "/v1/kv/{key}";
  const count = "cairn_http_request_duration_seconds_count";
  assert.equal(valueOf(families, count, { method: "PUT", route, status: "2xx" }), 40);
  assert.equal(valueOf(families, count, { method: "GET", route, status: "4xx" }), 1);
  const { version, commit, runtime } = JSON.parse((await cairn(["version", "--json"])).text);
  assert.equal(valueOf(families, "cairn_build_info", { version, commit, runtime }), 1);
  for (const [name, { samples }] of families) assert(samples.length > 0, `${name} has a figure`);
  assert(valueOf(families, "process_open_fds") > 3);
  const now = Date.now() / 1000;
  const started = valueOf(families, "process_start_time_seconds");
  assert(started > now - 3600 && started <= now + 60);
});

test("serve: logs JSON unless a terminal or an option says otherwise", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path, ["--log-level", "debug"]);
  const response = await fetch(`${server.url}/v1/kv/a%0Ab`, { headers: { "x-request-id": "r-1" } });
  await response.body?.cancel();
  assert.equal(response.headers.get("x-request-id"), "r-1");
  const { stderr } = await server.stop();
  const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  const requests = lines.filter(({ logger }) => logger === "cairn.http");
  assert.equal(requests.length, 1);
  assert.equal(requests[0].requestId, "r-1");
  assert.equal(requests[0].path, "/v1/kv/a%0Ab");
  assert.match(lines[1].message, /^Listening on http:/);
  assert.deepEqual(lines.slice(-3).map(({ message }) => message.split(" ")[0]), [
    "Stopping",
    "Closed",
    "Stopped",
  ]);

  const script = '"$CAIRN" set a 1 --db "$DB" --log-level info';
  const env = { DB: directory.path, TERM: "dumb" };
  const shown = await runInTerminal(script, { env });
  if (shown !== undefined) assert.match(shown.text, /^\d{4}-\S+ info cairn: Opened /);
});

test("logs: the environment says how and how much, and an option has the last word", async () => {
  using directory = new TemporaryDirectory();
  const set = ["set", "a", "1", "--db", directory.path];
  const env = { CAIRN_LOG_LEVEL: "info", CAIRN_LOG_FORMAT: "pretty" };
  assert.match((await runCairn(set, { env })).stderr, /^\d{4}-\S+ info cairn: Opened /);
  const json = await runCairn([...set, "--log-format", "json"], { env });
  assert.equal(JSON.parse(json.stderr.split("\n")[0]!).level, "info");
  const silent = await runCairn([...set, "--log-level", "silent"], { env });
  assert.equal(silent.stderr, "");
  await cairn(set, { env: { CAIRN_LOG_LEVEL: "", CAIRN_LOG_FORMAT: "" } });
  const error = await cairnFails(2, set, { env: { CAIRN_LOG_LEVEL: "loud" } });
  assert.match(error, /CAIRN_LOG_LEVEL/);
});

test("serve: a log that nobody reads holds up nobody", async () => {
  using directory = new TemporaryDirectory();
  const args = [
    ...["serve", "--db", directory.path, "--http", "127.0.0.1:0", "--no-tcp"],
    ...["--log-level", "debug"],
  ];
  const child = spawn(CAIRN, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stderr.pause();
  try {
    const [line] = await once(child.stdout, "data");
    const url = /http:\S+/.exec(String(line))![0];
    // More than any pipe takes: some hundred bytes of log for each of them.
    for (let count = 0; count < 1000; count++) {
      const signal = AbortSignal.timeout(60_000);
      const response = await fetch(`${url}/v1/kv/${"k".repeat(200)}`, { signal });
      await response.body?.cancel();
      assert.equal(response.status, 404);
    }
    // Not child.kill(): under Deno that decides by itself what the process then died of.
    process.kill(child.pid!, "SIGTERM");
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  } finally {
    child.kill("SIGKILL");
    child.stderr.destroy();
  }
});
