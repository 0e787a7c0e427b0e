import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RespParser } from "../../lib/server/tcp/resp/resp_parser.ts";
import { ByteWindow } from "../../lib/server/tcp/byte_window.ts";
import { bytesOf, everySplit, feedResp, latin1, LIMITS } from "./fed_parser.ts";

const wrong = (message: string) => `wrong:  Protocol error: ${message}`;

const CASES: [name: string, input: string, found: string[]][] = [
  ["a command", "*1\r\n$4\r\nPING\r\n", ["PING"]],
  ["arguments of any bytes", "*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$3\r\n\0\xff*\r\n", [
    "SET|\r\n|\0\xff*",
  ]],
  ["an empty argument", "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", ["ECHO|"]],
  ["a pipeline", "*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", ["a", "b"]],
  ["nothing", "*0\r\n*-1\r\n*1\r\n$1\r\na\r\n", ["a"]],
  ["a count that is none", "*x\r\n", [wrong("invalid multibulk length")]],
  ["an empty count", "*\r\n", [wrong("invalid multibulk length")]],
  ["a count with a sign", "*+1\r\n", [wrong("invalid multibulk length")]],
  ["a count with zeroes", "*01\r\n", [wrong("invalid multibulk length")]],
  ["a count without a return", "*1\n$1\r\na\r\n", [wrong("invalid multibulk length")]],
  ["a count too large", "*1048577\r\n", [wrong("invalid multibulk length")]],
  ["a count beyond numbers", `*${"9".repeat(30)}\r\n`, [wrong("invalid multibulk length")]],
  ["another type", "*1\r\n:1\r\n", [wrong("expected '$', got ':'")]],
  ["another type that cannot be shown", "*1\r\n\0", [wrong("expected '$', got '?'")]],
  ["a length below zero", "*1\r\n$-1\r\n", [wrong("invalid bulk length")]],
  ["a length that is none", "*1\r\n$1x\r\n", [wrong("invalid bulk length")]],
  ["a length too large", `*1\r\n$${LIMITS.bulkBytesMax + 1}\r\n`, [wrong("invalid bulk length")]],
  ["too many long ones", `*9\r\n${`$${1 << 20}\r\n${"x".repeat(1 << 20)}\r\n`.repeat(2)}`, [
    wrong("too big command"),
  ]],
  ["no end of a string", "*1\r\n$1\r\nabc", [wrong("expected CRLF behind a bulk string")]],
  ["a count without end", `*${"1".repeat(70_000)}`, [wrong("too big mbulk count string")]],
  ["a length without end", `*1\r\n$${"1".repeat(70_000)}`, [wrong("too big bulk count string")]],
  ["a good one before", "*1\r\n$1\r\na\r\n*x\r\n", ["a", wrong("invalid multibulk length")]],
];

for (const [name, input, found] of CASES) {
  test(`RESP: ${name}`, () => {
    const bytes = bytesOf(input);
    assert.deepEqual(feedResp([bytes]).found, found);
    if (bytes.length > 1000) return;
    for (const pieces of everySplit(bytes)) assert.deepEqual(feedResp(pieces).found, found);
  });
}

test("RESP: without a token, commands have to be short", () => {
  const hello = "*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n";
  assert.deepEqual(feedResp([bytesOf(hello)], true).found, ["AUTH|abc"]);
  assert.deepEqual(feedResp([bytesOf("*11\r\n")], true).found, [
    wrong("unauthenticated multibulk length"),
  ]);
  assert.deepEqual(feedResp([bytesOf("*1\r\n$16385\r\n")], true).found, [
    wrong("unauthenticated bulk length"),
  ]);
});

test("RESP: what a command declares takes no memory before it comes", () => {
  const bulk = bytesOf(`*1000000\r\n$${LIMITS.bulkBytesMax}\r\nabc`);
  const { found, heldMax } = feedResp([bulk.subarray(0, 5), bulk.subarray(5)]);
  assert.deepEqual([found, heldMax], [[], 4096]);
});

test("RESP: a long value that comes in pieces grows as it comes, in few copies", () => {
  const length = LIMITS.bulkBytesMax;
  const parser = new RespParser(LIMITS);
  const window = new ByteWindow();
  const head = bytesOf(`*1\r\n$${length}\r\n`);
  const places = new Set<ArrayBufferLike>();
  window.append(head, 0);
  assert.equal(parser.parse(window), "more");
  let sent = head.length;
  const chunk = new Uint8Array(1000).fill(120);
  while (sent < length + head.length + 2) {
    const isLast = sent + chunk.length >= length + head.length;
    const piece = isLast ? chunk.slice(0, length + head.length - sent + 2) : chunk;
    if (isLast) piece.set([13, 10], piece.length - 2);
    window.append(piece, parser.lengthExpected);
    sent += piece.length;
    places.add(window.bytes.buffer);
    assert(window.held <= Math.max(4096, 4 * sent), `${window.held} for ${sent}`);
    assert.equal(parser.parse(window), sent < length + head.length + 2 ? "more" : "command");
  }
  assert.deepEqual([parser.args.length, parser.args[0]!.length], [1, length]);
  assert(places.size < 8, `${places.size} pieces of memory`);
});

test("RESP: many arguments are taken, up to a million", () => {
  assert.deepEqual(feedResp([bytesOf(`*${1 << 20}\r\n`)]).found, []);
  const count = 100_000;
  const limits = { bulkBytesMax: 1 << 20, commandBytesMax: 128 << 20 };
  const parser = new RespParser(limits);
  const window = new ByteWindow();
  const bytes = bytesOf(`*${count}\r\n${"$1\r\nx\r\n".repeat(count)}`);
  let result: unknown;
  for (let at = 0; at < bytes.length; at += 65_536) {
    window.append(bytes.slice(at, at + 65_536), parser.lengthExpected);
    result = parser.parse(window);
  }
  assert.equal(result, "command");
  assert.equal(parser.args.length, count);
});

/** Bytes that look as if they meant something. */
const likely = fc.array(
  fc.oneof(
    fc.constantFrom(
      "*",
      "$",
      "\r\n",
      "\r",
      "\n",
      "-",
      "0",
      "1",
      "3",
      "*1\r\n",
      "$3\r\n",
      "SET",
      "x",
    ),
    fc.string({ unit: "binary", maxLength: 8 }).map((text) => latin1Of(text)),
  ),
  { maxLength: 40 },
).map((parts) => bytesOf(parts.join("")));

test("RESP: any bytes, in any pieces, are read the same, and held in bounded memory", () => {
  fc.assert(
    fc.property(likely, fc.array(fc.nat(), { maxLength: 10 }), (bytes, cuts) => {
      const input = Uint8Array.from([42, ...bytes]);
      const whole = feedResp([input]);
      const pieces = cutAt(input, cuts);
      const { found, heldMax } = feedResp(pieces);
      assert.deepEqual(found, whole.found);
      assert(heldMax <= Math.max(4096, 4 * input.length));
    }),
    { numRuns: 2000 },
  );
});

test("RESP: what was encoded is found again, in any pieces", () => {
  const command = fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 5 }), fc.array(fc.nat()), (commands, cuts) => {
      const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
      const input = commands.map((args) =>
        `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${text(arg)}\r\n`).join("")}`
      ).join("");
      const expected = commands.map((args) => args.map((arg) => latin1(arg)).join("|"));
      assert.deepEqual(feedResp(cutAt(bytesOf(input), cuts)).found, expected);
    }),
    { numRuns: 500 },
  );
});

function latin1Of(text: string): string {
  return text.replace(/[^\0-\xff]/g, "\xff");
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) =>
    a - b
  );
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}
