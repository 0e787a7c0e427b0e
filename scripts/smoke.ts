/**
 * Whether the executable and the library do the least that they must on this machine: `deno task
 * smoke`, after `deno task build`. For systems that the tests are not written for.
 *
 *     deno task smoke --directory path/to/an/unpacked/release
 */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { KvStore } from "../lib/mod.ts";
import config from "../deno.json" with { type: "json" };
import { ROOT } from "./toolchain.ts";

const { values } = parseArgs({
  options: { directory: { type: "string", default: `${ROOT}/dist` } },
});
const binary = resolve(values.directory, Deno.build.os === "windows" ? "cairn.exe" : "cairn");
const directory = await Deno.makeTempDir({ prefix: "cairn-smoke-" });
try {
  await executable();
  await library();
} finally {
  await Deno.remove(directory, { recursive: true });
}

async function executable(): Promise<void> {
  const { version, platform, commit } = JSON.parse(await cairn("version", "--json"));
  assert.equal(version, config.version);
  console.log(`cairn ${version}, commit ${commit}, on ${platform}: it starts`);

  await cairn("set", "greeting", "hello");
  assert.equal(await cairn("get", "greeting"), "hello");
  await cairn("backup", "copy");
  await cairn("restore", "copy", "--db", "restored");
  assert.equal(await cairn("list", "--values", "--db", "restored"), "greeting\thello\n");
  assert.match(await cairn("verify"), /^Sound/);
  console.log("It keeps, copies and checks a store");

  const server = new Deno.Command(binary, {
    args: ["serve", "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"],
    cwd: directory,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const said = await firstChunk(server.stdout);
    const url = /http:\/\/[\d.:]+/.exec(said)?.[0] ?? assert.fail(said);
    const put = await fetch(`${url}/v1/kv/answer`, { method: "PUT", body: "42" });
    assert.equal(put.status, 201);
    assert.equal(await cairn("get", "answer", "--url", url), "42");
    // By another process: the lock holds.
    await assert.rejects(cairn("set", "answer", "43"), /in use by process \d+/);
  } finally {
    server.kill("SIGTERM");
  }
  const { code } = await server.status;
  // Windows knows no such signal, and ends the process.
  if (Deno.build.os !== "windows") assert.equal(code, 0);
  assert.equal(await cairn("get", "answer"), "42");
  console.log("It serves");
}

async function library(): Promise<void> {
  await using store = await KvStore.open(`${directory}/library`);
  for (let count = 0; count < 100; count++) await store.set("counter", String(count));
  await store.compact();
  assert.equal(new TextDecoder().decode(await store.get("counter")), "99");
  await assert.rejects(KvStore.open(`${directory}/library`), { code: "Locked" });
  assert((await KvStore.verify(`${directory}/library`)).ok);
  console.log("The library keeps a store under Deno");
}

async function cairn(...args: string[]): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command(binary, {
    args,
    cwd: directory,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert(success, `cairn ${args.join(" ")} ended with ${code}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

async function firstChunk(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}
