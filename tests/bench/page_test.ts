/** Holds docs/performance.md against the results that it shows, and the harness against both. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HELP } from "../../bench/arguments.ts";
import { ENGINES } from "../../bench/engines/mod.ts";
import { PARTS } from "../../bench/measures/mod.ts";
import { fillPage } from "../../bench/page.ts";
import { readResults, type Results } from "../../bench/results.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = readFileSync(`${PROJECT}docs/performance.md`, "utf8");

/** Where lines break, and how wide columns are, is the formatter's. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/-{3,}/g, "---");
}

function published(): Results {
  return readResults(`${PROJECT}docs/performance.json`) ?? assert.fail("there are results");
}

test("performance.md: every figure on it is one of docs/performance.json", () => {
  assert.equal(plain(fillPage(PAGE, published())), plain(PAGE));
});

test("performance.md: other results would make another page", () => {
  const results = published();
  for (const { samples } of results.measurements) {
    for (const figures of Object.values(samples)) {
      for (const values of Object.values(figures)) values[0]! *= 3;
    }
  }
  assert.notEqual(plain(fillPage(PAGE, results)), plain(PAGE));
});

test("performance.md: a page without the markers is refused", () => {
  const results = published();
  assert.throws(
    () => fillPage(PAGE.replace("<!-- end of rows -->", ""), results),
    /markers for rows/,
  );
});

test("performance.md: every peer and its settings", () => {
  const table = PAGE.slice(PAGE.indexOf("## Settings of the peers"), PAGE.indexOf("## Rates"));
  const described = [...table.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, name]) => name!);
  for (const name of Object.keys(ENGINES)) {
    if (name === "cairn") continue;
    assert(described.some((each) => each.replace(/ \(.*\)$/, "") === name), name);
  }
});

test("performance.md: every option, and every part", () => {
  const section = PAGE.slice(PAGE.indexOf("## Measuring"));
  const options = [...HELP.matchAll(/^ {2}(--[a-z]+)/gm)].map(([, option]) => option!);
  assert(options.length > 8);
  for (const option of options) assert(section.includes(`\`${option}`), option);
  for (const part of Object.keys(PARTS)) assert(section.includes(`\`${part}\``), part);
});

test("performance.svg: stands on its own on light and dark pages", () => {
  const svg = readFileSync(`${PROJECT}docs/performance.svg`, "utf8");
  assert.match(svg, /prefers-color-scheme:\s*dark/);
  for (const each of [">cairn<", ">lmdb<", ">classic-level<", ">sqlite<", "<title>"]) {
    assert(svg.includes(each), each);
  }
  assert(!/<script|href="http/.test(svg));
});
