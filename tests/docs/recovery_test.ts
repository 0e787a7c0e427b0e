/** Holds the table of docs/recovery.md against the one in lib/log/recovery.ts, row by row. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, RECOVERY_CASES, type SegmentFindings } from "../../lib/log/recovery.ts";
import { readText, tableUnder } from "./markdown.ts";

function shown(condition: boolean | undefined): string {
  return condition === undefined ? "any" : condition ? "yes" : "no";
}

test("recovery.md: the table of cases is the one in the code", () => {
  const expected = RECOVERY_CASES.map(({ when, then, because }) => ({
    segment: when.active === undefined ? "any" : when.active ? "active" : "closed",
    damaged: shown(when.damaged),
    "below durable": shown(when.damagedBelowDurable),
    complete: shown(when.complete),
    verdict: then,
    because,
  }));
  const documented = tableUnder(readText("docs/recovery.md"), "The table of cases");
  assert.deepEqual(documented, expected);
});

test("recovery.md: every combination fits exactly one row of the table", () => {
  for (let bits = 0; bits < 16; bits++) {
    const findings: SegmentFindings = {
      active: (bits & 1) !== 0,
      damaged: (bits & 2) !== 0,
      damagedBelowDurable: (bits & 4) !== 0,
      complete: (bits & 8) !== 0,
    };
    const fitting = RECOVERY_CASES.filter(({ when }) =>
      Object.entries(when).every(([name, value]) =>
        findings[name as keyof SegmentFindings] === value
      )
    );
    assert.equal(fitting.length, 1, JSON.stringify(findings));
    assert.equal(decide(findings), fitting[0]);
  }
});
