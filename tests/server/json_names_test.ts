import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findRepeatedName } from "../../lib/server/http/json_names.ts";

test("repeated names: where the second one stands", () => {
  const cases: [text: string, place: string | undefined][] = [
    ['{"a":1,"a":1}', "a"],
    ['{"a":{"b":[0,{"c":1},{"c":1,"d":"c","c":2}]}}', "a.b[2].c"],
    ['[[],[{}],{"":1,"":2}]', "[2]."],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"a\\"b":"a\\"b","c":",\\"c\\":","c":0}', "c"],
    ['{"a\\\\":1,"b":2,"a\\\\":3}', "a\\"],
    [' { "a" : [ ] , "b" : { "a" : 1 } , "a" : 2 } ', "a"],
    ['{"a":{"a":{"a":[{"a":1},{"a":1}]}},"b":["a","a",{"a":"b"}]}', undefined],
    ['"{\\"a\\":1,\\"a\\":1}"', undefined],
    ["null", undefined],
    ['{"__proto__":1,"constructor":2}', undefined],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ];
  for (const [text, place] of cases) {
    JSON.parse(text);
    assert.equal(findRepeatedName(text), place, text);
  }
  const deep = `${'{"a":['.repeat(100_000)}${"]}".repeat(100_000)}`;
  assert.equal(findRepeatedName(deep), undefined);
  const repeated = `${'{"a":['.repeat(100_000)}{"b":1,"b":2}${"]}".repeat(100_000)}`;
  assert(findRepeatedName(repeated)!.length <= 200);
});

test("repeated names: none where there is none, whatever the text", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
      assert.equal(findRepeatedName(JSON.stringify(value, null, indent)), undefined);
    }),
    { seed: 1, numRuns: 500 },
  );
});
