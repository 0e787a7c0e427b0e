import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../lib/server/tcp/outbox.ts";
import { ReplyBuffer } from "../../lib/server/tcp/reply_buffer.ts";
import type { Reply } from "../../lib/server/tcp/resp/reply.ts";
import { RespEncoder } from "../../lib/server/tcp/resp/resp_encoder.ts";
import type { Transport } from "../../lib/server/tcp/transport.ts";
import { bytesOf, latin1 } from "./fed_parser.ts";

/** What a reply looks like, and whether it is an error. */
function encoded(protocol: 2 | 3, reply: Reply): { text: string; isError: boolean } {
  let text = "";
  const transport = {
    write(bytes: Uint8Array, start: number, end: number) {
      text += latin1(bytes.subarray(start, end));
      return end - start;
    },
  } as Transport;
  const limits = { outputBytesMax: 1, outputBytesHeldMax: 1 };
  const buffer = new ReplyBuffer();
  const encoder = new RespEncoder(buffer);
  buffer.begin(new Outbox(transport, { output: 0, input: 0, sent: 0 }, limits));
  encoder.begin(protocol);
  reply(encoder);
  buffer.end();
  return { text, isError: encoder.isError };
}

const CASES: [name: string, reply: Reply, resp2: string, resp3?: string][] = [
  ["a status", (out) => out.simple("OK"), "+OK\r\n"],
  ["an error", (out) => out.error("ERR no\r\n+OK\r\n"), "-ERR no  +OK  \r\n"],
  ["an error that is not ASCII", (out) => out.error("ERR 'ä'"), "-ERR '\xc3\xa4'\r\n"],
  ["bytes", (out) => out.bulk(bytesOf("\0\r\n\xff")), "$4\r\n\0\r\n\xff\r\n"],
  ["no bytes", (out) => out.bulk(""), "$0\r\n\r\n"],
  ["text", (out) => out.bulk("ä"), "$2\r\n\xc3\xa4\r\n"],
  ["no value", (out) => out.nullBulk(), "$-1\r\n", "_\r\n"],
  ["no array", (out) => out.nullArray(), "*-1\r\n", "_\r\n"],
  ["an empty array", (out) => out.array(0), "*0\r\n"],
  ["text for people", (out) => out.verbatim("é"), "$2\r\n\xc3\xa9\r\n", "=6\r\ntxt:\xc3\xa9\r\n"],
  ["a set", (out) => (out.set(1), out.integer(1)), "*1\r\n:1\r\n", "~1\r\n:1\r\n"],
  [
    "a map in an array",
    (out) => {
      out.array(2);
      out.map(1);
      out.bulk("k");
      out.integer(1);
      out.error("ERR x");
    },
    "*2\r\n*2\r\n$1\r\nk\r\n:1\r\n-ERR x\r\n",
    "*2\r\n%1\r\n$1\r\nk\r\n:1\r\n-ERR x\r\n",
  ],
];

for (const [name, reply, resp2, resp3 = resp2] of CASES) {
  test(`reply: ${name}`, () => {
    assert.deepEqual([encoded(2, reply).text, encoded(3, reply).text], [resp2, resp3]);
    assert.equal(encoded(2, reply).isError, name.startsWith("an error"));
  });
}

test("reply: integers up to the last of 64 bits", () => {
  const integers = [
    ...[0, 1, -1, 9, 10, 99, 100, -10, 12_345_678_901, 2 ** 53 - 1, -(2 ** 53) + 1],
    ...[0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
  ];
  for (const value of integers) {
    assert.equal(encoded(2, (out) => out.integer(value)).text, `:${value}\r\n`);
  }
});

test("reply: any length of text and bytes, in the right order", () => {
  for (const length of [1, 5461, 5462, 16_383, 16_384, 65_535, 65_536, 65_537, 300_000]) {
    const value = "x".repeat(length);
    const reply: Reply = (out) => {
      out.array(4);
      out.bulk(bytesOf(value));
      out.bulk(value);
      out.simple("between");
      out.error(value);
    };
    const bulk = `$${length}\r\n${value}\r\n`;
    assert.equal(encoded(2, reply).text, `*4\r\n${bulk}${bulk}+between\r\n-${value}\r\n`);
  }
  const many: Reply = (out) => {
    for (let index = 0; index < 50_000; index++) out.integer(index);
  };
  const expected = Array.from({ length: 50_000 }, (_, index) => `:${index}\r\n`).join("");
  assert.equal(encoded(2, many).text, expected);
});
