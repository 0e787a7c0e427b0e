/** Holds the table of docs/testing.md that counts mutants against the list of them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MUTANT_GROUPS } from "../mutation/mutants.ts";
import { readText, tableUnder } from "./markdown.ts";

test("testing.md: the mutants of each group, and how many are equivalent", () => {
  const rows = tableUnder(readText("docs/testing.md"), "What it came to");
  const listed = MUTANT_GROUPS.map(({ name, mutants }) => {
    const equivalent = mutants.filter((mutant) => mutant.equivalent !== undefined).length;
    return { name, mutants: mutants.length, caught: mutants.length - equivalent, equivalent };
  });
  const sum = (key: "mutants" | "caught" | "equivalent") =>
    listed.reduce((total, each) => total + each[key], 0);
  const all = {
    name: "all",
    mutants: sum("mutants"),
    caught: sum("caught"),
    equivalent: sum("equivalent"),
  };
  assert.deepEqual(
    rows.map(({ group, mutants, caught, equivalent }) => {
      return {
        name: group,
        mutants: Number(mutants),
        caught: Number(caught),
        equivalent: Number(equivalent),
      };
    }),
    [...listed, all],
  );
});

test("testing.md: every equivalent mutant is named, with the reason", () => {
  const rows = tableUnder(readText("docs/testing.md"), "Equivalent mutants");
  const listed = MUTANT_GROUPS.flatMap(({ name: group, mutants }) =>
    mutants.flatMap(({ name, equivalent }) =>
      equivalent === undefined
        ? []
        : [{ group, mutant: name, "nothing can be observed, because": equivalent.because }]
    )
  );
  assert.deepEqual(rows, listed);
});
