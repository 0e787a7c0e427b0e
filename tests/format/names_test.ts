/** Names of files, and the identity of a store as text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hintName, joinPath, parseSegmentName, segmentName } from "../../lib/format/filename.ts";
import { formatNodeId, parseNodeId } from "../../lib/format/node_id.ts";
import { FILE_ID_LIMIT } from "../../lib/limits.ts";

test("segment and hint names are understood, and sort by age", () => {
  const ids = fc.integer({ min: 1, max: FILE_ID_LIMIT });
  fc.assert(fc.property(ids, ids, (id, other) => {
    for (const temporary of [false, true]) {
      const suffix = temporary ? ".tmp" : "";
      assert.deepEqual(parseSegmentName(segmentName(id) + suffix), {
        fileId: id,
        kind: "log",
        temporary,
      });
      assert.deepEqual(parseSegmentName(hintName(id) + suffix), {
        fileId: id,
        kind: "hint",
        temporary,
      });
    }
    assert.equal(segmentName(id) < segmentName(other), id < other);
  }));
  assert.equal(segmentName(1), "0000000001.log");
  assert.equal(hintName(FILE_ID_LIMIT), "4294967295.hint");
});

test("other names are nobody's", () => {
  for (
    const name of [
      "",
      "1.log",
      "000000001.log",
      "00000000001.log",
      "0000000000.log",
      "4294967296.log",
      "9999999999.hint",
      "0000000001",
      "0000000001.txt",
      "0000000001.log~",
      "0000000001.log.tmp.tmp",
      "x0000000001.log",
      "0000000001.LOG",
      "ACTIVE",
      "-000000001.log",
      "0x00000001.log",
    ]
  ) assert.equal(parseSegmentName(name), undefined, name);
});

test("paths are joined with one slash", () => {
  assert.equal(joinPath("a/b", "c"), "a/b/c");
  assert.equal(joinPath("/", "c"), "/c");
  assert.equal(joinPath("a/", "c"), "a/c");
});

test("a node id is written as a UUID and read again", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (nodeId) => {
    const text = formatNodeId(nodeId);
    assert.match(text, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    for (const written of [text, `${text}\n`, ` ${text.toUpperCase()} `]) {
      assert.deepEqual(parseNodeId(written), nodeId);
    }
  }));
  assert.equal(
    formatNodeId(Uint8Array.from({ length: 16 }, (_, i) => i)),
    "00010203-0405-0607-0809-0a0b0c0d0e0f",
  );
});

test("other texts are no node id", () => {
  const good = "00010203-0405-0607-0809-0a0b0c0d0e0f";
  for (
    const text of [
      "",
      good.slice(1),
      `${good}0`,
      good.replace("-", ""),
      good.replace("0", "g"),
      `{${good}}`,
    ]
  ) assert.equal(parseNodeId(text), undefined, text);
});
