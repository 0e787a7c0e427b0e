import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { CAIRN, cairn, cairnFails, runCairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("a directory in use: writers exit with 5, say by whom, and change nothing", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  await using server = await startServer(directory.path);
  for (const args of [["set", "a", "2"], ["del", "a"], ["compact"], ["serve"]]) {
    const error = await cairnFails(5, [...args, ...db]);
    assert.match(error, /in use by .*: stop it, or if it is a server, name it with --url/);
    if (process.platform === "linux") assert.match(error, new RegExp(`process ${server.pid}\\b`));
  }
  assert.equal((await cairn(["get", "a", ...db])).text, "1");
});

test("readers work beside a server, and see what it has written", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await using server = await startServer(directory.path);
  const put = await fetch(`${server.url}/v1/kv/written`, { method: "PUT", body: "by the server" });
  assert.equal(put.status, 201);
  assert.equal((await cairn(["get", "written", ...db])).text, "by the server");
  assert.equal((await cairn(["list", ...db])).text, "written\n");
  assert.match((await cairn(["stats", ...db])).text, /^keys +1$/m);
  assert.match((await cairn(["verify", ...db])).text, /^Sound/);
});

test("kill -9 of a server: what it acknowledged is there, and no lock remains", async () => {
  using directory = new TemporaryDirectory();
  const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`);
  {
    await using server = await startServer(directory.path);
    await Promise.all(keys.map(async (key) => {
      const response = await fetch(`${server.url}/v1/kv/${key}`, { method: "PUT", body: key });
      assert.equal(response.status, 201);
      await response.body?.cancel();
    }));
    server.signal("SIGKILL");
    assert.equal((await server.ended()).signal, "SIGKILL");
  }
  const db = ["--db", directory.path];
  const { text } = await cairn(["list", "--values", ...db]);
  assert.equal(text, [...keys].sort().map((key) => `${key}\t${key}\n`).join(""));
  await cairn(["set", "after", "1", ...db]);
  assert.match((await cairn(["verify", ...db])).text, /^Sound/);
});

test("kill -9 in the middle of many sets: nothing acknowledged is lost", async () => {
  using directory = new TemporaryDirectory();
  const acknowledged: number[] = [];
  {
    await using server = await startServer(directory.path);
    let next = 0;
    const client = async () => {
      while (true) {
        const number = next++;
        const url = `${server.url}/v1/kv/n/${number}`;
        const response = await fetch(url, { method: "PUT", body: `value ${number}` });
        await response.body?.cancel();
        if (response.status === 201) acknowledged.push(number);
        if (acknowledged.length === 500) server.signal("SIGKILL");
      }
    };
    await Promise.allSettled(Array.from({ length: 16 }, client));
  }
  assert(acknowledged.length >= 500);
  const { text } = await cairn(["list", "--json", "--values", "--db", directory.path]);
  const stored = new Map(
    text.trimEnd().split("\n").map((line) => JSON.parse(line)).map((
      { key, value },
    ) => [key, value]),
  );
  for (const number of acknowledged) assert.equal(stored.get(`n/${number}`), `value ${number}`);
});

test("two writers at once: one at a time, and nothing is mixed up", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, index) => runCairn(["set", `key-${index}`, "x", ...db])),
  );
  const written = results.flatMap(({ exitCode }, index) => exitCode === 0 ? [`key-${index}`] : []);
  assert(written.length >= 1);
  for (const { exitCode, stderr } of results) {
    assert([0, 5].includes(exitCode ?? -1), stderr);
  }
  assert.equal((await cairn(["list", ...db])).text, written.map((key) => `${key}\n`).join(""));
});

test("Ctrl-C while waiting for input ends the command and leaves no trace", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "1", ...db]);
  const child = spawn(CAIRN, ["set", "b", ...db], { stdio: ["pipe", "ignore", "ignore"] });
  child.stdin.write("half a val");
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill("SIGINT");
  const [code, signal] = await once(child, "close");
  assert(signal === "SIGINT" || code === 130, `${code} ${signal}`);
  await cairnFails(1, ["get", "b", ...db]);
});
