import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, everySplit, feedText, VALUE_BYTES_MAX } from "./fed_parser.ts";

const GET_USAGE = "unknown: GET <key>";
const SET_USAGE = "wrong:  SET <key> <length>, then so many bytes";
const UNKNOWN =
  "unknown: The commands are SET <key> <length>, GET <key>, DEL <key> and AUTH <token>; those of " +
  "Redis, such as PING, come by redis-cli or another client that speaks RESP";

const CASES: [name: string, input: string, found: string[]][] = [
  ["the commands", "SET a 5\nhelloGET a\nDEL a\nAUTH t\n", [
    "SET|a|hello",
    "GET|a",
    "DEL|a",
    "AUTH|t",
  ]],
  ["lines of Windows and of terminals", "SET a 2\r\nhiGET a\r\n", ["SET|a|hi", "GET|a"]],
  ["values of any bytes", "SET a 6\n\n\r\0\xffGET a\n", ["SET|a|\n\r\0\xffGE", UNKNOWN]],
  ["an empty value", "SET a 0\nGET a\n", ["SET|a|", "GET|a"]],
  ["keys of any UTF-8", "GET \xc3\xa4/*\xe2\x82\xac\n", ["GET|\xc3\xa4/*\xe2\x82\xac"]],
  ["empty lines between", "\nSET a 1\nx\nGET a\n\r\n", ["SET|a|x", "GET|a"]],
  ["a word that is no command", "HELLO\nget a\nGET a\n", [UNKNOWN, UNKNOWN, "GET|a"]],
  ["no key, and too many", "GET\nGET \nGET a b\nGET  a\nGET a\t\nDEL\n", [
    GET_USAGE,
    GET_USAGE,
    GET_USAGE,
    GET_USAGE,
    GET_USAGE,
    "unknown: DEL <key>",
  ]],
  ["a set without a length", "SET a\nDEL b\n", [SET_USAGE]],
  ["a set with another length", "SET a -1\n", [SET_USAGE]],
  ["a set with a length that is none", "SET a 5x\n", [SET_USAGE]],
  ["a set with a blank in the key", "SET a b 5\n", [SET_USAGE]],
  ["a set with a tab in the key", "SET a\tb 5\n", [SET_USAGE]],
  ["a set in small letters", "set a 5\nDEL b", [SET_USAGE]],
  ["a set of very much", `SET a ${VALUE_BYTES_MAX + 1}\n`, [
    `wrong: ValueTooLarge A value may have ${VALUE_BYTES_MAX} bytes, not ${VALUE_BYTES_MAX + 1}`,
  ]],
  ["a set beyond numbers", `SET a ${"9".repeat(40)}\n`, [SET_USAGE]],
  ["a line without end", "GET ".padEnd(70_000, "k"), ["wrong:  A line may have 65600 bytes"]],
  ["TLS", "\x16\x03\x01", ["wrong:  A command begins with a letter, or with * for RESP"]],
  ["HTTP", "GET / HTTP/1.1\r\nHost: x\r\n", ["closed"]],
  ["HTTP with a body", "POST /x\r\n", ["closed"]],
  ["HTTP of another kind", "PRI * HTTP/2.0\r\n", ["closed"]],
  ["a Host", "host: 127.0.0.1\r\n", ["closed"]],
  ["any method of HTTP", "OPTIONS /v1 HTTP/1.0\n", ["closed"]],
];

for (const [name, input, found] of CASES) {
  test(`text: ${name}`, () => {
    const bytes = bytesOf(input);
    assert.deepEqual(feedText([bytes]).found, found);
    if (bytes.length > 1000) return;
    for (const pieces of everySplit(bytes)) assert.deepEqual(feedText(pieces).found, found);
  });
}

test("text: without a token, values have to be short", () => {
  assert.deepEqual(feedText([bytesOf("SET a 1\nx")], true).found, ["SET|a|x"]);
  assert.deepEqual(feedText([bytesOf("SET a 16385\n")], true).found, [
    "wrong: Unauthorized A value may have 16384 bytes, not 16385",
  ]);
});

test("text: what a set declares takes no memory before it comes", () => {
  const bytes = bytesOf(`SET a ${VALUE_BYTES_MAX}\nabc`);
  const { found, heldMax } = feedText(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  assert.deepEqual([found, heldMax], [[], 4096]);
});

const likely = fc.array(
  fc.oneof(
    fc.constantFrom(
      "SET ",
      "GET ",
      "DEL ",
      "a",
      " ",
      "\n",
      "\r\n",
      "1",
      "3",
      "SET a 3\nabc",
      "HTTP/1.1",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 8 }),
  ),
  { maxLength: 30 },
).map((parts) => bytesOf(parts.join("")));

test("text: any bytes, in any pieces, are read the same, and held in bounded memory", () => {
  fc.assert(
    fc.property(likely, fc.array(fc.nat(), { maxLength: 10 }), (bytes, cuts) => {
      const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
        .sort((a, b) => a - b);
      const pieces = places.slice(1).map((place, index) => bytes.subarray(places[index], place));
      const { found, heldMax } = feedText(pieces);
      assert.deepEqual(found, feedText([bytes]).found);
      assert(heldMax <= Math.max(4096, 4 * bytes.length));
    }),
    { numRuns: 2000 },
  );
});
