/** Patterns of keys against their definition, and patterns that are made to be slow. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Glob } from "../../lib/server/tcp/resp/glob.ts";
import { fuzz } from "../support/fuzzing.ts";

const encoder = new TextEncoder();

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const glob = new Glob(encoder.encode(pattern), ignoreCase);
  const bytes = encoder.encode(text);
  const hasPrefix = glob.prefix.every((byte, at) => bytes[at] === byte);
  return hasPrefix && bytes.length >= glob.prefix.length && glob.matches(bytes);
}

test("glob: what patterns mean", () => {
  const cases: [pattern: string, matching: string[], others: string[]][] = [
    ["", [""], ["a"]],
    ["*", ["", "a", "ü*?"], []],
    ["a", ["a"], ["", "aa", "b", "A"]],
    ["a*", ["a", "ab", "a*"], ["", "ba"]],
    ["*a", ["a", "ba", "aa"], ["", "ab"]],
    ["a*b*c", ["abc", "aXbXc", "abbcc", "abcbc"], ["ab", "acb", "abcd"]],
    ["a?c", ["abc", "a?c"], ["ac", "abbc", "aüc"]],
    ["a??c", ["aüc", "abbc"], ["abc"]],
    ["[abc]", ["a", "b", "c"], ["", "d", "ab"]],
    ["[a-c]x", ["ax", "bx", "cx"], ["dx", "-x", "x"]],
    ["[c-a]x", ["ax", "bx", "cx"], ["dx"]],
    ["[^a-c]", ["d", "-", "^"], ["a", "b", "c", ""]],
    ["[a^]", ["a", "^"], ["b"]],
    ["[]", [], ["", "[]", "a"]],
    ["[^]", ["a"], ["", "ab"]],
    ["[a", ["a"], ["[a", "b"]],
    ["[\\]]", ["]"], ["\\", "\\]"]],
    ["[a-]", [], ["-"]],
    ["\\*", ["*"], ["a", "\\*", ""]],
    ["\\a\\?", ["a?"], ["ab"]],
    ["a\\", ["a\\"], ["a"]],
    ["**?**", ["a", "ab"], [""]],
    ["user:[0-9]*", ["user:1", "user:12x"], ["user:", "user:x"]],
  ];
  for (const [pattern, matching, others] of cases) {
    for (const text of matching) assert(matches(pattern, text), `${pattern} matches ${text}`);
    for (const text of others) assert(!matches(pattern, text), `${pattern} and ${text}`);
  }
  assert(matches("MaX[M]*", "mAxmEMORY", true));
  assert(!matches("MaX[M]*", "mAxmEMORY"));
});

test("glob: long patterns and texts mean the same as short ones", async () => {
  await fuzz(300, (random) => {
    const pattern = Array.from(
      { length: random.between(20, 120) },
      () => random.pick(random.chance(0.1) ? ["*"] : ["a", "b", "?", "[ab]", "[^b]"]),
    ).join("");
    const text = Array.from({ length: random.between(0, 150) }, () => random.pick(["a", "b"])).join(
      "",
    );
    const expected = new RegExp(
      `^${pattern.replaceAll("*", ".*").replaceAll("?", ".").replace(/(?:\.\*)+/g, ".*")}$`,
      "s",
    );
    // Some pairs that match, made of the pattern itself.
    const other = pattern.replaceAll("*", "ab").replaceAll("[ab]", "b").replaceAll(
      /\?|\[\^b\]/g,
      "a",
    );
    assert.equal(matches(pattern, other), true, pattern);
    if (pattern.split("*").length > 6) return; // The regular expression may take for ever.
    assert.equal(matches(pattern, text), expected.test(text), `${pattern} and ${text}`);
  });
});

test("glob: no pattern takes more than a step for each byte and 32 tokens", () => {
  const glob = new Glob(encoder.encode("a*".repeat(400) + "b"));
  const text = new Uint8Array(65_536).fill(0x61);
  // By trying all ways this would not end: there are more of them than atoms in the universe.
  assert.equal(glob.matches(text), false);
  text[65_535] = 0x62;
  assert.equal(glob.matches(text), true);
});

test("glob: patterns that are too long are refused before anything is made of them", () => {
  for (const pattern of ["?".repeat(2000), "*?".repeat(2000), "x".repeat(200_000)]) {
    assert.throws(() => new Glob(encoder.encode(pattern)), /ERR pattern is too long/);
  }
  assert.equal(new Glob(encoder.encode("x".repeat(65_536))).isLiteral, true);
});
