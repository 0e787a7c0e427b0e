/** Holds docs/testing.md against the tests: those that it names exist, and its figures are true. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { bytesOf } from "../support/disk_image.ts";
import { writeGroups } from "../support/grouped_log.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { HINT_NAMES, writeSegments } from "../support/segmented_store.ts";
import { PROJECT, readText, tableUnder } from "./markdown.ts";

const TESTING = readText("docs/testing.md");

/** Patterns of the names that a file's tests have; what is filled in may be anything. */
function testNames(source: string): RegExp[] {
  const calls =
    /\b(?:test|testUnless)\(\s*(?:[\w.]+(?:\([^)]*\))?,\s*)?(["`])((?:\\.|(?!\1).)+)\1/gs;
  return [...source.matchAll(calls)].map(([, , name]) => {
    const parts = name!.split(/\$\{[^}]*\}/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".+")}$`);
  });
}

test("testing.md: every test that is named for a bug exists", () => {
  const rows = tableUnder(TESTING, "Bugs that others had");
  assert.equal(rows.length, 23);
  for (const { "the bug": bug, file, test: name } of rows) {
    const names = testNames(readText(file!));
    assert(names.length > 0, `${file} has tests`);
    assert(names.some((pattern) => pattern.test(name!)), `${bug}: ${file} has no test "${name}"`);
    // A name that fits anything would fit any row.
    assert(!names.some((pattern) => pattern.test("?")), file);
  }
});

test("testing.md: every variable of the environment that tests read, and no other", () => {
  const read = testSources().flatMap((path) =>
    [...readText(path).matchAll(/process\.env\["(CAIRN_\w+)"\]/g)].map(([, name]) => name)
  );
  const rows = tableUnder(TESTING, "Longer runs");
  assert.deepEqual(rows.map(({ variable }) => variable).sort(), [...new Set(read)].sort());
});

/** Paths of all files of tests that look at the environment of this process. */
function testSources(): string[] {
  return readdirSync(`${PROJECT}tests`, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `tests/${path}`);
}

test("testing.md: the sizes of what is cut and flipped", async () => {
  const groups = await writeGroups();
  const { image } = await writeSegments();
  const files: Record<string, Uint8Array> = {
    "the log of a store that was not closed": bytesOf(groups.image, FIRST_LOG),
    "a closed segment": bytesOf(image, FIRST_LOG),
    "its hint file": bytesOf(image, HINT_NAMES[0]!),
    "ACTIVE": bytesOf(image, "ACTIVE"),
    "NODE_ID": bytesOf(image, "NODE_ID"),
  };
  const rows = tableUnder(TESTING, "Damage");
  assert.deepEqual(rows.map(({ file }) => file), Object.keys(files));
  for (const { file, bytes, lengths, bits } of rows) {
    const { length } = files[file!]!;
    assert.equal(Number(bytes), length, file);
    // The last byte of NODE_ID is a line feed, without which it says the same.
    assert.equal(Number(lengths), file === "NODE_ID" ? length - 1 : length, file);
    assert.equal(Number(bits!.replace(",", "")), 8 * length, file);
  }
});
