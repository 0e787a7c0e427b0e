/** Keys as bytes: every text there and back, and what is no key. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { decodeKey, encodeKey, keyRoom, showKey } from "../../lib/format/key.ts";
import { KEY_BYTES_LIMIT } from "../../lib/limits.ts";
import { throwsAtOnce } from "../support/kv_error.ts";

function encode(key: string | Uint8Array, max = KEY_BYTES_LIMIT): Uint8Array {
  const target = new Uint8Array(5 + keyRoom(key, max)).fill(0xee);
  const length = encodeKey(key, target, 5, max);
  assert.deepEqual(target.subarray(0, 5), new Uint8Array(5).fill(0xee));
  return target.slice(5, 5 + length);
}

test("any text is encoded as UTF-8 and decoded to itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 50 }), (key) => {
      if (!key.isWellFormed()) return;
      const bytes = encode(key);
      assert.deepEqual(bytes, new Uint8Array(Buffer.from(key, "utf8")));
      assert.equal(decodeKey(bytes), key);
      assert.deepEqual(encode(bytes), bytes, "the bytes are the same key");
    }),
  );
  for (const key of ["\ufeff", "\ufeffa", "\u0000", "\u007f\u0080\u07ff\u0800\uffff\u{10000}"]) {
    assert.equal(decodeKey(encode(key)), key);
  }
});

test("any bytes are a key if and only if they are UTF-8", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 }), (bytes) => {
      let isText = true;
      try {
        strict.decode(bytes);
      } catch {
        isText = false;
      }
      if (isText) assert.deepEqual(encode(bytes), bytes);
      else throwsAtOnce("InvalidKey", /not valid UTF-8/, () => encode(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("any text with half of a surrogate pair is no key", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 5 }),
      fc.integer({ min: 0xd800, max: 0xdfff }),
      fc.constantFrom("", "a", "é", "x😀"),
      (before, surrogate, after) => {
        const key = before + String.fromCharCode(surrogate) + after;
        throwsAtOnce("InvalidKey", /surrogate/, () => encode(key));
      },
    ),
  );
});

test("every limit, and one beyond, in characters of every length", () => {
  for (const max of [1, 2, 3, 4, 7, 100, KEY_BYTES_LIMIT]) {
    for (const character of ["a", "é", "世", "😀"]) {
      const size = Buffer.byteLength(character);
      const count = Math.floor(max / size);
      const longest = character.repeat(count) + "a".repeat(max - count * size);
      assert.equal(encode(longest, max).length, max);
      assert.equal(encode(Buffer.from(longest), max).length, max);
      for (const key of [longest + "a", "a" + longest, longest + character]) {
        throwsAtOnce("InvalidKey", /at most \d+ are allowed/, () => encode(key, max));
        throwsAtOnce("InvalidKey", /at most \d+ are allowed/, () => encode(Buffer.from(key), max));
      }
    }
  }
  throwsAtOnce("InvalidKey", /empty/, () => encode(""));
  throwsAtOnce("InvalidKey", /empty/, () => encode(new Uint8Array(0)));
});

test("room for a key is enough for it, and bounded by the limit, not by the key", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (key) => {
    assert(keyRoom(key, KEY_BYTES_LIMIT) >= Buffer.byteLength(key));
  }));
  assert.equal(keyRoom("k".repeat(1_000_000), 10), 30);
  assert.equal(keyRoom(new Uint8Array(1_000_000), 10), 10);
});

test("a key in a message is one line, quoted, and not long", () => {
  assert.equal(showKey("a"), '"a"');
  assert.equal(showKey('a"b\n\u0000\u0085\u2028'), '"a\\"b\\n\\u0000\\u0085\\u2028"');
  assert.equal(showKey("k".repeat(61)), `"${"k".repeat(60)}…"`);
  assert.equal(showKey(Uint8Array.of(0x61, 0xff)), '"a\ufffd"');
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (key) => {
    const shown = showKey(key.toWellFormed());
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    assert(shown.length <= 2 + 6 * 61);
  }));
});
