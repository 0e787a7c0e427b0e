import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { quoteWord, quotingOf, splitLine } from "../../lib/cli/shell/split_line.ts";

const LINES: [line: string, words: string[]][] = [
  ["", []],
  ["  get\ta \r", ["get", "a"]],
  [`set a 'one "two" \\n'`, ["set", "a", `one "two" \\n`]],
  ['set a "one \'two\' \\"\\\\\\$\\` \\n"', ["set", "a", "one 'two' \"\\$` \\n"]],
  [String.raw`a\ b\'c\\`, ["a b'c\\"]],
  [`x"y z"'w v'u`, ["xy zw vu"]],
  [`set a ""`, ["set", "a", ""]],
  [`set '' b`, ["set", "", "b"]],
  ["a\\\nb", ["ab"]],
  ["a \\\n b", ["a", "b"]],
  ['"a\\\nb"', ["ab"]],
  ["'a\\\nb'", ["a\\\nb"]],
  ["'a\nb'", ["a\nb"]],
  ["a#b # c", ["a#b", "#", "c"]],
  ["$HOME * `x` ~", ["$HOME", "*", "`x`", "~"]],
];

for (const [line, words] of LINES) {
  test(`split: ${JSON.stringify(line)}`, () => {
    const split = splitLine(line);
    assert.deepEqual(split.words, words);
    assert.equal(split.open, undefined);
  });
}

test("split: what needs another line says so, and where its last word begins", () => {
  assert.deepEqual(splitLine("get 'a b"), { words: ["get", "a b"], open: "'", lastStart: 4 });
  assert.deepEqual(splitLine('get "a\\'), { words: ["get", "a"], open: "\\", lastStart: 4 });
  assert.deepEqual(splitLine("get a\\"), { words: ["get", "a"], open: "\\", lastStart: 4 });
  assert.deepEqual(splitLine("get a"), { words: ["get", "a"], lastStart: 4 });
  assert.deepEqual(splitLine("get "), { words: ["get"] });
});

test("split: what is quoted is read as it was", () => {
  const special = fc.constantFrom(..."\"'\\$`!# ~*;|<>\t\n", "a", "日");
  const word = fc.oneof(
    fc.string({ unit: special, minLength: 1 }),
    fc.string({ unit: "grapheme", minLength: 1 }),
  );
  fc.assert(
    fc.property(word, fc.constantFrom("plain", '"', "'"), (text, quoting) => {
      const quoted = quoteWord(text, quoting as "plain");
      if (quoted === undefined) return;
      const raw = quoting === "plain" ? quoted : `${quoting}${quoted}${quoting}`;
      assert.deepEqual(splitLine(`get ${raw} x`).words, ["get", text, "x"]);
      if (quoting !== "plain") assert.equal(quotingOf(raw), quoting);
    }),
    { numRuns: 300 },
  );
});

test("quote: what cannot be typed or shown is left out", () => {
  assert.equal(quoteWord("a\nb", "plain"), undefined);
  assert.equal(quoteWord("a\x1b[2J", "'"), undefined);
  assert.equal(quoteWord("it's", "'"), undefined);
  assert.equal(quoteWord("$(rm x)", "plain"), "\\$\\(rm\\ x\\)");
  assert.equal(quoteWord("user:ada@x.org/日本", "plain"), "user:ada@x.org/日本");
});
