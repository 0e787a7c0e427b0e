/** That the list of mutants is true of the engine as it is: each applies, and no place is missing. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type CallSite, findCallSites } from "./call_sites.ts";
import { applyEdit, type Edit, editsOf, type Mutant } from "./mutant.ts";
import { MUTANT_GROUPS } from "./mutants.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const textOf = (file: string) => readFileSync(join(PROJECT, file), "utf8");
const mutants: readonly Mutant[] = MUTANT_GROUPS.flatMap((group) => group.mutants);

/** Files in which nothing can be lost, so that their syncs and cuts need no mutants. */
const NOTHING_TO_LOSE: Readonly<Record<string, string>> = {
  "lib/fs/memory_file_system.ts": "memory has no disk behind it",
};

test("mutants: every text to be replaced is found exactly once", () => {
  for (const mutant of mutants) {
    const texts = new Map<string, string>();
    for (const edit of editsOf(mutant)) {
      const before = texts.get(edit.file) ?? textOf(edit.file);
      const after = applyEdit(before, edit);
      assert(after !== undefined, `${mutant.name}: not found exactly once: ${edit.find}`);
      assert.notEqual(after, before, `${mutant.name}: changes nothing`);
      texts.set(edit.file, after);
    }
  }
});

test("mutants: names are unique, and the tests they name exist", () => {
  assert.equal(new Set(MUTANT_GROUPS.map(({ name }) => name)).size, MUTANT_GROUPS.length);
  for (const group of MUTANT_GROUPS) {
    const names = new Set(group.mutants.map(({ name }) => name));
    assert.equal(names.size, group.mutants.length, group.name);
  }
  for (const { name, tests } of mutants) {
    assert(tests.length > 0, name);
    for (const each of tests) {
      assert(existsSync(join(PROJECT, `tests/${each}_test.ts`)), `${name}: ${each}`);
    }
  }
});

test("mutants: what makes up for an equivalent one is taken out together with it", () => {
  for (const group of MUTANT_GROUPS) {
    for (const mutant of group.mutants) {
      const name = mutant.equivalent?.together;
      if (name === undefined) continue;
      const together = group.mutants.find((other) => other.name === name);
      assert(together !== undefined, `${mutant.name}: there is no ${name}`);
      assert.equal(together.equivalent, undefined, `${name} must be caught`);
      assert.notDeepEqual(editsOf(together), editsOf(mutant));
      for (const edit of editsOf(mutant)) {
        assert(editsOf(together).some((other) => includes(other, edit)), `${name}: ${edit.find}`);
      }
    }
  }
});

/** Whether an edit is made at the place of another one, or around it. */
function includes(outer: Edit, inner: Edit): boolean {
  if (outer.file !== inner.file) return false;
  const text = textOf(outer.file);
  const [outerAt, innerAt] = [text.indexOf(outer.find), text.indexOf(inner.find)];
  return outerAt <= innerAt && innerAt + inner.find.length <= outerAt + outer.find.length;
}

test("mutants: every sync, cut and comparison of checksums in lib/ is taken out by one", () => {
  const missing: string[] = [];
  for (const file of sourcesBelow("lib")) {
    if (file in NOTHING_TO_LOSE) continue;
    const text = textOf(file);
    const edits = mutants.flatMap(editsOf).filter((edit) => edit.file === file);
    for (const site of findCallSites(text)) {
      if (edits.some((edit) => takesOut(text, edit, site))) continue;
      missing.push(`${file}: no mutant without this ${site.kind}: ${site.line}`);
    }
  }
  assert.equal(missing.length, 0, `\n${missing.join("\n")}\nadd one in tests/mutation/groups`);
});

/** Whether an edit covers the place, and fewer like it are there afterwards. */
function takesOut(text: string, edit: Edit, { call, at }: CallSite): boolean {
  const start = text.indexOf(edit.find);
  if (at < start || at >= start + edit.find.length) return false;
  const count = (source: string) =>
    findCallSites(source).filter((site) => site.call === call).length;
  return count(applyEdit(text, edit)!) < count(text);
}

test("mutants: places that sync, cut and check are found, and declarations are none", () => {
  const kinds = (text: string) => findCallSites(text).map((site) => site.kind);
  assert.deepEqual(kinds("file.sync();\nawait this.#sync(1);\nfs.fdatasync(fd, done);"), [
    "sync",
    "sync",
    "sync",
  ]);
  assert.deepEqual(kinds("file.truncate(0);\nfs.ftruncateSync(fd, 0);"), ["truncate", "truncate"]);
  assert.deepEqual(kinds("if (a.chain !== b) x();\nif (crc32(b, 0, 1) === c) y();"), [
    "checksum",
    "checksum",
  ]);
  assert.deepEqual(kinds("sync(): void;\nasync #sync(n: number): Promise<void> {\n"), []);
  assert.deepEqual(kinds("function syncDirectory(path: string): void {\n// file.sync()\n"), []);
});

function sourcesBelow(directory: string): string[] {
  return readdirSync(join(PROJECT, directory), { recursive: true })
    .map((path) => `${directory}/${String(path).replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"));
}
