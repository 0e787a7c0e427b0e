/** Runs every TypeScript example of the documentation, and compares what it says that it prints. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { denoPath } from "../support/runtimes.ts";
import { testUnless } from "../support/test_unless.ts";
import { announcedOutput, checkTypes, runExample } from "./example_process.ts";
import { codeBlocks, PROJECT, readText } from "./markdown.ts";

/** The programs, by the place where they stand. */
const examples = new Map<string, string>();
for (const path of ["README.md", ...markdownIn("docs")]) {
  for (const { info, code, line } of codeBlocks(readText(path))) {
    if (info === "ts") examples.set(`${path}:${line}`, code);
  }
}
for (const path of sourcesIn("lib")) {
  for (const { code, line } of docExamples(readText(path))) examples.set(`${path}:${line}`, code);
}

for (const [place, code] of examples) {
  test(`${place} runs`, () => {
    const printed = runExample(code, place).split("\n").filter((line) => line !== "");
    const announced = announcedOutput(code);
    if (announced.length > 0) assert.deepEqual(printed, announced, place);
  });
}

testUnless(denoPath === undefined ? "there is no deno" : undefined, "the types fit", () => {
  assert.equal(checkTypes(examples, denoPath!), "");
});

test("the public face of the library has examples", () => {
  for (const path of ["lib/mod.ts", "lib/store/store.ts", "lib/errors.ts"]) {
    assert.notEqual(docExamples(readText(path)).length, 0, path);
  }
});

function markdownIn(directory: string): string[] {
  return readdirSync(PROJECT + directory).filter((name) => name.endsWith(".md")).sort()
    .map((name) => `${directory}/${name}`);
}

function sourcesIn(directory: string): string[] {
  return readdirSync(PROJECT + directory, { recursive: true }).map(String)
    .filter((name) => name.endsWith(".ts")).sort()
    .map((name) => `${directory}/${name.replaceAll("\\", "/")}`);
}

/** The code of `@example` in doc comments, but for blocks marked `ignore`. */
function docExamples(source: string): { code: string; line: number }[] {
  const pattern = /^[ ]*\* @example[^\n]*\n[ ]*\* ```ts\n((?:[ ]*\*[^\n]*\n)*?)[ ]*\* ```$/gm;
  return [...source.matchAll(pattern)].map(({ 1: lines, index }) => ({
    code: lines!.replace(/^ *\* ?/gm, ""),
    line: source.slice(0, index).split("\n").length,
  }));
}
