import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { cairn, cairnFails, rawExchange, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const FULL = "canary-full-0123456789abcdef-0123456789abcdef";
const READ = "canary-read-fedcba9876543210-fedcba9876543210";
const OTHER = "canary-other-00112233445566778899aabbccddeeff";

async function statusOf(url: string, token?: string, init: RequestInit = {}): Promise<number> {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { ...init, headers });
  await response.body?.cancel();
  return response.status;
}

function secretFile(directory: TemporaryDirectory, name: string, text: string): string {
  const path = directory.join(name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

test("tokens from files and from the environment; no secret is seen anywhere", async () => {
  using directory = new TemporaryDirectory();
  const full = secretFile(directory, "full", `${FULL}\n`);
  const read = secretFile(directory, "read", READ);
  const ways: [args: string[], env: Record<string, string>][] = [
    [["--token-file", full, "--read-token-file", read], {}],
    [[], { CAIRN_TOKEN: FULL, CAIRN_READ_TOKEN: READ }],
    [["--token-file", full, "--read-token-file", read], { CAIRN_TOKEN: OTHER }],
  ];
  for (const [args, env] of ways) {
    await using server = await startServer(
      directory.join("store"),
      ["--log-level", "debug", ...args],
      { env: { ...env, CAIRN_DEBUG: "1" } },
    );
    const key = `${server.url}/v1/kv/a`;
    const put = { method: "PUT", body: "x" };
    assert([201, 204].includes(await statusOf(key, FULL, put)));
    assert.equal(await statusOf(key, READ), 200);
    assert.equal(await statusOf(key, READ, put), 403);
    assert.equal(await statusOf(key, undefined), 401);
    assert.equal(await statusOf(key, OTHER), 401);
    assert.equal(await statusOf(`${server.url}/healthz`), 200);
    assert.equal(await statusOf(`${server.url}/nowhere`), 401);

    const seen: string[] = [];
    if (process.platform === "linux") {
      seen.push(readFileSync(`/proc/${server.pid}/cmdline`, "latin1"));
    }
    for (const path of ["/healthz", "/metrics", "/v1/stats", "/openapi.json", "/v1/kv/%FF"]) {
      const response = await fetch(server.url + path, {
        headers: { authorization: `Bearer ${FULL}` },
      });
      seen.push(await response.text(), JSON.stringify([...response.headers]));
    }
    for (const authorization of [FULL, `Basic ${FULL}`, `Bearer ${FULL}x`]) {
      const request = `GET /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
        `Authorization: ${authorization}\r\n\r\n`;
      const response = await rawExchange(server.port, request);
      assert.match(response, /^HTTP\/1\.1 401 /);
      seen.push(response);
    }
    const { stderr, text, exitCode } = await server.stop();
    assert.equal(exitCode, 0);
    assert.match(stderr, /Wrong token from (?:::ffff:)?127\.0\.0\.1/);
    assert.doesNotMatch([...seen, stderr, text].join("\n"), /canary/);
  }
});

test("tokens that protect nothing are refused, in a line that does not show them", async () => {
  using directory = new TemporaryDirectory();
  const file = (name: string, text: string, mode = 0o600) => {
    const path = secretFile(directory, name, text);
    chmodSync(path, mode);
    return path;
  };
  const refusals: [args: string[], env: Record<string, string>, message: RegExp][] = [
    [["--token-file", directory.join("none")], {}, /cannot read --token-file.*no such file/],
    [["--token-file", directory.path], {}, /is a directory/],
    [["--token-file", file("empty", "")], {}, /token in --token-file .*is empty/],
    [["--token-file", file("blank", " \n\n")], {}, /is empty/],
    [["--token-file", file("short", "canary")], {}, /has 6 characters.*openssl rand/],
    [["--token-file", file("two", `${FULL}\n${READ}\n`)], {}, /other characters/],
    [["--token-file", file("same", "canary".repeat(9))], {}, /is not random/],
    [["--token-file", file("long", FULL.repeat(1000))], {}, /longer than 4096/],
    [["--token-file", file("huge", "x".repeat(2_000_000))], {}, /longer than 1048576 bytes/],
    [["--token-file", file("binary", "\x1b\xff\0canary")], {}, /other characters/],
    [["--token-file", file("world", FULL, 0o644)], {}, /other users: run chmod 600/],
    [["--token-file", file("group", FULL, 0o620)], {}, /other users/],
    [[], { CAIRN_TOKEN: "" }, /token in CAIRN_TOKEN is empty/],
    [[], { CAIRN_TOKEN: "canary" }, /token in CAIRN_TOKEN has 6 characters/],
    [[], { CAIRN_TOKEN: FULL, CAIRN_READ_TOKEN: "canary" }, /in CAIRN_READ_TOKEN has 6/],
    [[], { CAIRN_TOKEN: FULL, CAIRN_READ_TOKEN: FULL }, /same as the full one/],
    [[], { CAIRN_READ_TOKEN: READ }, /no full one/],
  ];
  const store = directory.join("store");
  for (const [args, env, message] of refusals) {
    const error = await cairnFails(2, ["serve", "--db", store, ...args], { env });
    assert.match(error, message);
    assert.doesNotMatch(error, /canary/);
  }
  await cairnFails(6, ["list", "--db", store]);
});

test("a token file that a group may read is good enough", async () => {
  using directory = new TemporaryDirectory();
  const file = secretFile(directory, "token", FULL);
  chmodSync(file, 0o640);
  await using server = await startServer(directory.join("store"), ["--token-file", file]);
  assert.equal(await statusOf(`${server.url}/v1/kv/a`, FULL), 404);
});

test(
  "SIGHUP: other tokens count from now on; unfit ones leave the old",
  { timeout: 60_000 },
  async () => {
    using directory = new TemporaryDirectory();
    const file = secretFile(directory, "token", FULL);
    await using server = await startServer(directory.join("store"), ["--token-file", file]);
    const status = (token: string) => statusOf(`${server.url}/v1/kv/a`, token);
    writeFileSync(file, OTHER);
    server.signal("SIGHUP");
    while (await status(OTHER) !== 404) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await status(FULL), 401);
    writeFileSync(file, "canary");
    server.signal("SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await status(OTHER), 404);
    const { stderr } = await server.stop();
    assert.match(stderr, /Read the files of tokens and certificate again/);
    assert.match(stderr, /"level":"error".*so the old stay: .*6 characters/);
    assert.doesNotMatch(stderr, /canary/);
  },
);

test("without a token, this machine only: an address of others needs more", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  const env = { CAIRN_TOKEN: FULL };
  for (const http of ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"]) {
    const serve = ["serve", "--http", http, ...db];
    assert.match(await cairnFails(2, serve), /needs a token \(.*\) and TLS \(.*\): give what is/);
    assert.match(await cairnFails(2, serve, { env }), /needs TLS \(--tls-cert and --tls-key\):/);
  }
  await using server = await startServer(directory.join("store"), [
    "--http",
    "0.0.0.0:0",
    "--insecure",
  ]);
  assert.equal(await statusOf(`http://127.0.0.1:${server.port}/healthz`), 200);
  const { stderr } = await server.stop();
  assert.match(
    stderr,
    /"level":"warning","logger":"cairn","message":"Other machines can reach this server, without a token/,
  );
});

test("by default nothing but 127.0.0.1 answers", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  assert.equal(await statusOf(`http://127.0.0.1:${server.port}/healthz`), 200);
  for (const other of ["127.0.0.2", "[::1]"]) {
    await assert.rejects(fetch(`http://${other}:${server.port}/healthz`), other);
  }
});

test("--host-name: a name for the server, exactly", async () => {
  using directory = new TemporaryDirectory();
  const names = ["--host-name", "kv.example", "--host-name", "Other.example:8443"];
  await using server = await startServer(directory.path, names);
  const ask = async (host: string, more = "") => {
    const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
    return Number(/^HTTP\/1\.1 (\d+)/.exec(await rawExchange(server.port, request))?.[1]);
  };
  for (const host of ["kv.example", `kv.example:${server.port}`, "other.example:8443"]) {
    assert.equal(await ask(host), 200, host);
    assert.equal(await ask(host, `Origin: https://${host}\r\n`), 200, host);
    assert.equal(await ask(host, "Origin: https://evil.example\r\n"), 403, host);
  }
  for (const host of ["kv.example:1", "other.example", "x.kv.example", "evil.example"]) {
    assert.equal(await ask(host), 421, host);
  }
  assert.equal(await ask(`127.0.0.1:${server.port}`), 200);
});

test("tokens are asked for on this machine too, and commands on the directory need none", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path, [], { env: { CAIRN_TOKEN: FULL } });
  assert.equal(await statusOf(`${server.url}/v1/kv/a`), 401);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "");
});
