/** Bytes that no client of good will sends, against the executable: refused, and it goes on. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { cairn, rawExchange, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

let directory: TemporaryDirectory;
let server: ServerProcess;
let host: string;

before(async () => {
  directory = new TemporaryDirectory();
  server = await startServer(directory.path, ["--log-level", "debug", "--log-format", "json"]);
  host = `Host: 127.0.0.1:${server.port}\r\n`;
});

after(async () => {
  await server.stop("SIGKILL");
  directory[Symbol.dispose]();
});

/** Status codes of all answers in what came back. */
function statusesOf(response: string): number[] {
  return [...response.matchAll(/HTTP\/1\.\d (\d{3}) /g)].map(([, status]) => Number(status));
}

async function assertServes(): Promise<void> {
  const response = await fetch(`${server.url}/healthz`);
  await response.body?.cancel();
  assert.equal(response.status, 200);
}

async function keys(): Promise<string[]> {
  const { text } = await cairn(["list", "--json", "--db", directory.path]);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line).key);
}

const put = (headers: string, body: string) =>
  `PUT /v1/kv/smuggled HTTP/1.1\r\n${host}${headers}\r\n${body}`;
const get = (headers: string) => `GET /healthz HTTP/1.1\r\n${host}${headers}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const INNER = () => `PUT /v1/kv/inner HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nx`;

/** What is sent, and with what it may be answered; nothing at all is as good as a refusal. */
const REFUSED: Record<string, [request: () => string, statuses: number[]]> = {
  "Content-Length and Transfer-Encoding": [
    () => put(`Content-Length: 4\r\n${CHUNKED}`, `0\r\n\r\n${INNER()}`),
    [400],
  ],
  "Transfer-Encoding and Content-Length": [
    () => put(`${CHUNKED}Content-Length: 4\r\n`, `0\r\n\r\n${INNER()}`),
    [400],
  ],
  "two lengths": [
    () => put("Content-Length: 1\r\nContent-Length: 2\r\n", `x${INNER()}`),
    [400],
  ],
  "a list of lengths": [() => put("Content-Length: 1, 1\r\n", "x"), [400]],
  "a length with a sign": [() => put("Content-Length: +1\r\n", "x"), [400]],
  "a negative length": [() => put("Content-Length: -1\r\n", "x"), [400]],
  "a hexadecimal length": [() => put("Content-Length: 0x1\r\n", "x"), [400]],
  "a length beyond all numbers": [() => put(`Content-Length: ${"9".repeat(40)}\r\n`, "x"), [
    400,
    413,
  ]],
  "an unknown transfer encoding": [
    () => put("Transfer-Encoding: gzip\r\n", "1\r\nx\r\n0\r\n\r\n"),
    [400, 501],
  ],
  "chunked twice": [() => put("Transfer-Encoding: chunked, chunked\r\n", "1\r\nx\r\n0\r\n\r\n"), [
    400,
  ]],
  "nearly chunked": [() => put("Transfer-Encoding: xchunked\r\n", "1\r\nx\r\n0\r\n\r\n"), [
    400,
    501,
  ]],
  "a space before the colon": [
    () => put("Transfer-Encoding : chunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
    [400],
  ],
  "a chunk size that is no number": [() => put(CHUNKED, `zz\r\nx\r\n0\r\n\r\n${INNER()}`), [400]],
  "a negative chunk size": [() => put(CHUNKED, `-1\r\nx\r\n0\r\n\r\n${INNER()}`), [400]],
  "a chunk size beyond all numbers": [() => put(CHUNKED, `${"f".repeat(20)}\r\nx`), [400, 413]],
  "a chunk that ends otherwise": [() => put(CHUNKED, `1\r\nxYY0\r\n\r\n${INNER()}`), [400]],
  "something else where the chunks end": [() => put(CHUNKED, "1\r\nx\r\n0\r\nzz\r\n"), [400]],
  "chunks with trailers": [() => put(CHUNKED, "1\r\nx\r\n0\r\nX: a\r\n\r\n"), [400]],
  "a request where the chunks end": [() => put(CHUNKED, `1\r\nx\r\n0\r\n${INNER()}`), [400]],
  "chunks with bare line feeds": [() => put(CHUNKED, `1\nx\n0\n\n${INNER()}`), [400]],
  "no Host": [() => "GET /healthz HTTP/1.1\r\n\r\n", [400, 421]],
  "two Hosts": [() => get(host), [400, 421]],
  "two Hosts, one foreign": [() => get("Host: evil.example\r\n"), [400, 421]],
  "bare line feeds": [() => get("").replaceAll("\r", ""), [400, 505]],
  "a bare line feed between headers": [() => get("X: a\nY: b\r\n"), [400]],
  "NUL in a header": [() => get("X: a\0b\r\n"), [400]],
  "ESC in a header": [() => get("X: a\x1b[31mb\r\n"), [400]],
  "a bare carriage return in a header": [() => get("X: a\rb\r\n"), [400]],
  "a folded header": [() => get("X: a\r\n b\r\n"), [400]],
  "a header without a colon": [() => get("Xab\r\n"), [400]],
  "a header without a name": [() => get(": b\r\n"), [400]],
  "NUL in the path": [() => `GET /v1/kv/a\0b HTTP/1.1\r\n${host}\r\n`, [400, 505]],
  "ESC in the path": [() => `GET /v1/kv/\x1b[31m HTTP/1.1\r\n${host}\r\n`, [400, 505]],
  "a space in the path": [() => `GET /v1/kv/a b HTTP/1.1\r\n${host}\r\n`, [400, 505]],
  "a tunnel": [() => `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${host}\r\n`, [400, 404, 405]],
  "the server as a whole": [() => `OPTIONS * HTTP/1.1\r\n${host}\r\n`, [400, 404]],
  "HTTP/1.0 without Host": [() => "GET /healthz HTTP/1.0\r\n\r\n", [421]],
  "HTTP/0.9": [() => "GET /healthz\r\n", [400, 505]],
  "HTTP/2 without asking": [() => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]],
  "HTTP/1.2": [() => `GET /healthz HTTP/1.2\r\n${host}\r\n`, [400, 505]],
  "a request line of 64 KiB": [
    () => `GET /v1/kv/${"a".repeat(65_536)} HTTP/1.1\r\n${host}\r\n`,
    [414, 431],
  ],
  "a header of 64 KiB": [() => get(`X: ${"a".repeat(65_536)}\r\n`), [431]],
  "a thousand headers": [() => get("a: b\r\n".repeat(1000)), [431]],
  "a method in lower case": [() => get("").replace("GET", "get"), [400, 405, 501]],
  "a method that is long": [() => get("").replace("GET", "A".repeat(5000)), [400, 405, 501]],
  "TLS": [() => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]],
  "nothing but zeros": [() => "\0".repeat(1000), [400]],
  "the text protocol": [() => "SET smuggled 1\nx", [400, 505]],
  "RESP": [() => "*3\r\n$3\r\nSET\r\n$8\r\nsmuggled\r\n$1\r\nx\r\n", [400, 505]],
};

for (const [name, [request, statuses]] of Object.entries(REFUSED)) {
  test(`hostile: ${name}`, async () => {
    const response = await rawExchange(server.port, new TextEncoder().encode(request()));
    const got = statusesOf(response);
    assert(got.length <= 1, response);
    if (got[0] !== undefined) assert(statuses.includes(got[0]), response.slice(0, 500));
    await assertServes();
  });
}

test("hostile: nothing of all that was stored, or had another effect on the directory", async () => {
  assert.deepEqual(await keys(), []);
  assert.deepEqual(readdirSync(directory.path).sort(), ["LOCK", "wal"]);
});

test("hostile: the same length twice is one length", async () => {
  const response = await rawExchange(
    server.port,
    put("Content-Length: 1\r\nContent-Length: 1\r\n", "x").replace("smuggled", "twice"),
  );
  assert([201, 400].includes(statusesOf(response)[0] ?? 0));
  await assertServes();
});

test("hostile: an absolute target does not change who is asked", async () => {
  const absolute = (authority: string, path: string) =>
    rawExchange(server.port, `GET http://${authority}${path} HTTP/1.1\r\n${host}\r\n`);
  assert.deepEqual(statusesOf(await absolute(`127.0.0.1:${server.port}`, "/healthz")), [200]);
  assert.deepEqual(statusesOf(await absolute("evil.example", "/v1/kv/none")), [404]);
  const foreign = await rawExchange(
    server.port,
    `GET http://127.0.0.1:${server.port}/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
  );
  assert.deepEqual(statusesOf(foreign), [421]);
});

test("hostile: keys are never paths", async () => {
  const listed = () => readdirSync(directory.path, { recursive: true }).map(String).sort();
  const files = listed();
  const targets = [
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/LOCK",
    "%2e%2e%2fwal%2fACTIVE",
    "..%5c..%5cwal",
    "/etc/passwd",
    "a%00b",
    "%c0%ae%c0%ae/x",
    "%ff%fe",
    "wal/ACTIVE",
    "C:%5cwindows",
  ];
  for (const target of targets) {
    for (const method of ["PUT", "GET", "DELETE"]) {
      const response = await rawExchange(
        server.port,
        `${method} /v1/kv/${target} HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
      );
      assert([200, 201, 204, 400, 404].includes(statusesOf(response)[0] ?? 0), response);
      assert(!response.includes("root:"), target);
    }
  }
  assert.deepEqual(listed(), files);
  await assertServes();
});

test("hostile: many requests at once on one connection are answered one by one", async () => {
  const one = `GET /v1/kv/none HTTP/1.1\r\n${host}\r\n`;
  const socket = await open();
  const answers = collect(socket);
  for (let round = 0; round < 200; round++) socket.write(one.repeat(5));
  await until(() => statusesOf(answers()).length >= 1000);
  assert(statusesOf(answers()).every((status) => status === 404));
  socket.destroy();
  await assertServes();
});

test("hostile: a client that closes its side still gets its answer, or the end", async () => {
  for (const request of [get(""), put("Content-Length: 10\r\n", "hal")]) {
    const socket = await open();
    const answers = collect(socket);
    socket.end(request);
    await new Promise((resolve) => socket.on("close", resolve));
    assert(statusesOf(answers()).every((status) => status === 200 || status === 400), answers());
  }
  assert(!(await keys()).includes("smuggled"));
  await assertServes();
});

test("hostile: who sends next to nothing is cut off, and nobody waits for it", async () => {
  const silent = await open();
  const headers = await Promise.all(Array.from({ length: 100 }, open));
  for (const socket of headers) socket.write("GET /healthz HTTP/1.1\r\nX: ");
  const bodies = await Promise.all(Array.from({ length: 100 }, open));
  bodies.forEach((socket, index) => {
    socket.write(put(index % 2 === 0 ? "Content-Length: 1000000\r\n" : CHUNKED, ""));
  });
  const answers = bodies.map(collect);
  const dripping = setInterval(() => {
    for (const socket of headers) socket.write("x");
    bodies.forEach((socket, index) => socket.write(index % 2 === 0 ? "x" : "1\r\nx\r\n"));
  }, 1000);
  try {
    const ends = [silent, ...headers, ...bodies].map((socket) =>
      new Promise((resolve) => socket.on("close", resolve))
    );
    for (let request = 0; request < 20; request++) await assertServes();
    await Promise.all(ends);
  } finally {
    clearInterval(dripping);
  }
  for (const answer of answers) {
    // One that was cut off while it was still sending may have heard nothing.
    assert(["", "408"].includes(String(statusesOf(answer()))), answer());
  }
  const heard = answers.filter((answer) => answer() !== "");
  assert(heard.length > 0 && heard.every((answer) => answer().includes('"field":"body"')));
  assert(!(await keys()).includes("smuggled"));
  await assertServes();
});

test("hostile: log lines cannot be forged", async () => {
  using own = new TemporaryDirectory();
  for (const format of ["json", "pretty"]) {
    const args = ["--log-level", "debug", "--log-format", format];
    const logging = await startServer(own.path, args, {
      env: { CAIRN_TOKEN: "0123456789abcdef0123456789abcdef" },
    });
    const ownHost = `Host: 127.0.0.1:${logging.port}\r\n`;
    for (const forged of ["%0d%0aFORGED", "%0aFORGED", "%1b[2JFORGED", "%e2%80%a8FORGED"]) {
      await rawExchange(logging.port, `PUT /v1/kv/${forged} HTTP/1.1\r\n${ownHost}\r\n`);
      await rawExchange(
        logging.port,
        `GET /${forged}?${forged} HTTP/1.1\r\n${ownHost}User-Agent: ${forged}\r\n` +
          `Authorization: Bearer ${forged}\r\nX-Forwarded-For: ${forged}\r\n\r\n`,
      );
    }
    const { stderr } = await logging.stop();
    assert(stderr.length > 0);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(stderr, /^\W*FORGED|[\x00-\x09\x0b-\x1f\u2028]/m);
    for (const line of stderr.trimEnd().split("\n")) {
      if (format === "json") assert.doesNotThrow(() => JSON.parse(line), line);
      else assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:debug|info|warning|error) cairn/, line);
    }
  }
});

async function open(): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

function collect(socket: Socket): () => string {
  let text = "";
  socket.on("data", (chunk: Uint8Array) => text += new TextDecoder("latin1").decode(chunk));
  return () => text;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
