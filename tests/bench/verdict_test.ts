/** When a row of the benchmarks counts as reached, and what is kept of measurements. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Runtime } from "../../bench/arguments.ts";
import {
  type Measurement,
  measurementOf,
  onMachine,
  readResults,
  type Results,
  type Samples,
  withMeasurement,
  withMoreRounds,
  writeResults,
} from "../../bench/results.ts";
import type { Row } from "../../bench/rows.ts";
import {
  showMeasured,
  showNumber,
  showRate,
  showVerdict,
  showWanted,
} from "../../bench/text_table.ts";
import { judge, shortRows, type Verdict } from "../../bench/verdict.ts";

const MACHINE = { cpu: "abacus", cores: 2, memoryGiB: 1, system: "none", versions: { Bun: "1" } };

const RATIO: Row = {
  kind: "ratio",
  name: "bulk-lmdb",
  title: "bulk set, beside lmdb",
  measure: "bulk",
  ours: "cairn",
  theirs: "lmdb",
  figure: "setPerSecond",
  atLeast: 3,
};

const AT_MOST: Row = {
  kind: "limit",
  name: "open",
  title: "open",
  measure: "open",
  ours: "cairn",
  figure: "openSeconds",
  unit: "s",
  limit: 0.1,
  direction: "at most",
};

function measured(
  measure: string,
  samples: Samples,
  keys = 1_000_000,
  runtime: Runtime = "bun",
): Measurement {
  const about = { measure, runtime, date: "2026-01-02", commit: "0123456789" };
  return { ...about, keys, rounds: 3, millis: 1000, samples };
}

function resultsOf(...measurements: Measurement[]): Results {
  return { machine: MACHINE, measurements };
}

function verdictOf(row: Row, samples: Samples, keys?: number): Verdict {
  return judge(resultsOf(measured(row.measure, samples, keys)), row, "bun") ??
    assert.fail("a verdict");
}

test("verdict: a ratio is the median of the ratios of each round, not the ratio of medians", () => {
  const verdict = verdictOf(RATIO, {
    cairn: { setPerSecond: [30, 10, 80] },
    lmdb: { setPerSecond: [10, 1, 20] },
  });
  assert.deepEqual(verdict.measured, { median: 4, min: 3, max: 10 });
  assert.equal(verdict.share, 4 / 3);
  assert(verdict.reached);
});

test("verdict: just reached is reached, and a bit less is not", () => {
  const at = (ours: number) =>
    verdictOf(RATIO, { cairn: { setPerSecond: [ours] }, lmdb: { setPerSecond: [100] } }).reached;
  assert(at(300));
  assert(!at(299));
});

test("verdict: of a limit from above, less is better", () => {
  const at = (seconds: number) => verdictOf(AT_MOST, { cairn: { openSeconds: [seconds] } });
  assert.equal(at(0.05).share, 2);
  assert(at(0.1).reached);
  assert(!at(0.11).reached);
  const atLeast = { ...AT_MOST, direction: "at least" } as const;
  assert(!verdictOf(atLeast, { cairn: { openSeconds: [0.05] } }).reached);
});

test("verdict: none where the measure, a subject or the figure is missing", () => {
  assert.equal(judge(resultsOf(), RATIO, "bun"), undefined);
  const alone = measured("bulk", { cairn: { setPerSecond: [1] } });
  assert.equal(judge(resultsOf(alone), RATIO, "bun"), undefined);
  assert.equal(judge(resultsOf(measured("bulk", {}, 1, "deno")), RATIO, "bun"), undefined);
});

test("verdict: of another size, what was measured says so", () => {
  const samples = { cairn: { openSeconds: [0.05] } };
  assert.equal(showMeasured(verdictOf(AT_MOST, samples)), "0.050 s (0.050 to 0.050)");
  const small = verdictOf(AT_MOST, samples, 20_000);
  assert.equal(showMeasured(small), "0.050 s (0.050 to 0.050), at only 20k keys");
  assert.equal(showWanted(small), "at most 0.1 s");
  assert.equal(showVerdict(small), "not proven at this size");
  assert.equal(showVerdict(verdictOf(AT_MOST, samples)), "reached");
  const slow = verdictOf(AT_MOST, { cairn: { openSeconds: [0.2] } }, 20_000);
  assert.equal(showVerdict(slow), "falls short: 0.500 of it");
});

test("verdict: rows that fall short are those of Bun, or of Deno where there is nothing else", () => {
  const slow = { cairn: { openSeconds: [1] } };
  const fast = { cairn: { openSeconds: [0.01] } };
  const both = resultsOf(measured("open", fast), measured("open", slow, 1, "deno"));
  const verdicts = (["bun", "deno"] as const).map((runtime) => judge(both, AT_MOST, runtime)!);
  assert.deepEqual(shortRows(verdicts), []);
  assert.deepEqual(shortRows(verdicts.slice(1)), ["open"]);
});

test("results: a later measurement takes the place of its like, and no other", () => {
  const old = measured("open", { cairn: { openSeconds: [1] } });
  const deno = measured("open", {}, 1, "deno");
  const later = measured("open", { cairn: { openSeconds: [2] } });
  const results = withMeasurement(resultsOf(old, deno), later);
  assert.equal(results.measurements.length, 2);
  assert.equal(measurementOf(results, "open", "bun"), later);
  assert.equal(measurementOf(results, "open", "deno"), deno);
});

test("results: rounds are added to those of the same sizes, and replace others", () => {
  const [first, second] = [{ cairn: { n: [1, 2] } }, { cairn: { n: [3] }, map: { n: [4] } }];
  const before = resultsOf(measured("bulk", first));
  const { measurements } = withMoreRounds(before, measured("bulk", second));
  assert.deepEqual(measurements.map(({ rounds, samples }) => ({ rounds, samples })), [
    { rounds: 6, samples: { cairn: { n: [1, 2, 3] }, map: { n: [4] } } },
  ]);
  assert.deepEqual(before.measurements[0]!.samples, { cairn: { n: [1, 2] } });
  const other = withMoreRounds(before, measured("bulk", second, 7));
  assert.deepEqual(measurementOf(other, "bulk", "bun")?.samples, second);
});

test("results: those of another machine do not stay", () => {
  const results = resultsOf(measured("open", {}));
  const updated = { ...MACHINE, versions: { Bun: "2" } };
  assert.deepEqual(onMachine(results, updated), { ...results, machine: updated });
  assert.deepEqual(onMachine(results, { ...MACHINE, cpu: "slide rule" }).measurements, []);
  assert.deepEqual(onMachine(undefined, MACHINE).measurements, []);
});

test("results: what is written can be read, figures with six digits in one line", () => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-results-"));
  try {
    const path = join(directory, "deep/results.json");
    assert.equal(readResults(path), undefined);
    writeResults(path, resultsOf(measured("open", { cairn: { openSeconds: [0.123456789, 2] } })));
    assert.match(readFileSync(path, "utf8"), /"openSeconds": \[0\.123457, 2\]/);
    assert.deepEqual(
      readResults(path),
      resultsOf(measured("open", { cairn: { openSeconds: [0.123457, 2] } })),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("numbers: as many digits as matter", () => {
  const shown = [0.0123, 1.234, 12.34, 1234.5, NaN].map(showNumber);
  assert.deepEqual(shown, ["0.012", "1.23", "12.3", "1,235", "NaN"]);
  assert.deepEqual([12, 5210, 475_400, 1_340_000].map(showRate), ["12", "5.2k", "475k", "1.3M"]);
});
