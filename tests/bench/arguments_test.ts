/** What the options of the benchmarks mean, and which are refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BenchOptions, parseOptions, UsageError } from "../../bench/arguments.ts";
import { MEASURES, PARTS } from "../../bench/measures/mod.ts";
import { ROWS } from "../../bench/rows.ts";
import { isMeasured } from "../../bench/run.ts";
import { chosenMeasures, chosenRows } from "../../bench/selection.ts";

const TODAY = "2026-01-02";

function parse(...args: string[]): BenchOptions {
  return parseOptions(args, {}, TODAY) ?? assert.fail("options, not help");
}

test("arguments: without any, the whole table at full size under both runtimes", () => {
  assert.deepEqual(parse(), {
    only: [],
    peers: undefined,
    parts: [],
    runtimes: ["bun", "deno"],
    keys: 1_000_000,
    rounds: 5,
    millis: 3000,
    resume: false,
    add: false,
    publish: false,
    report: false,
    date: TODAY,
    directory: undefined,
  });
});

test("arguments: lists by commas and by repetition, sizes one by one over those of --quick", () => {
  const options = parse("--only", "bulk, get", "--only", "http", "--quick", "--keys", "7");
  assert.deepEqual(options.only, ["bulk", "get", "http"]);
  assert.equal(options.keys, 7);
  assert(options.rounds < 5 && options.millis < 3000);
  assert.deepEqual(parse("--peers", "none").peers, ["none"]);
  assert.deepEqual(parse("--runtime", "deno").runtimes, ["deno"]);
  assert.equal(parse("--date", "2025-12-31").date, "2025-12-31");
});

test("arguments: the directory is the option's, or the environment's", () => {
  const environment = { CAIRN_BENCH_DIR: "/disk" };
  assert.equal(parseOptions([], environment, TODAY)?.directory, "/disk");
  assert.equal(parseOptions(["--dir", "/other"], environment, TODAY)?.directory, "/other");
});

test("arguments: --help wants nothing else", () => {
  assert.equal(parseOptions(["--help"], {}, TODAY), undefined);
});

test("arguments: what cannot be meant is refused, and named", () => {
  const mistakes = [
    [["--keys", "0"], /--keys 0/],
    [["--rounds", "1.5"], /--rounds 1\.5/],
    [["--millis", "soon"], /--millis soon/],
    [["--runtime", "node"], /--runtime node/],
    [["--date", "today"], /--date today/],
    [["--fast"], /--fast/],
  ] as const;
  for (const [args, message] of mistakes) {
    assert.throws(
      () => parse(...args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  }
});

test("selection: rows by the beginning of their names or by their measure, parts instead of rows", () => {
  const names = (wishes: string[]) =>
    chosenRows({ only: wishes, parts: [] }).map((row) => row.name);
  assert.deepEqual(names(["get"]), ["get-lmdb", "get-level", "get-sqlite"]);
  assert.deepEqual(names(["growth-set", "http-get"]), ["http-get", "growth-set"]);
  assert.equal(names(["bulk"]).length, 7);
  assert.deepEqual(chosenRows({ only: [], parts: [] }), [...ROWS]);
  assert.deepEqual(chosenRows({ only: [], parts: ["sizes"] }), []);
  assert.deepEqual([...chosenMeasures({ only: ["get"], parts: [] })], ["bulk"]);
  assert.deepEqual([...chosenMeasures({ only: [], parts: ["stalls", "scale"] })], [
    "pauses",
    "scale",
  ]);
});

test("selection: what there is not is refused", () => {
  assert.throws(
    () => chosenMeasures({ only: ["swim"], parts: [] }),
    /--only swim: the rows are bulk/,
  );
  assert.throws(
    () => chosenMeasures({ only: [], parts: ["swim"] }),
    /--part swim: the parts are sc/,
  );
});

test("selection: every row and every part has its measure, and no two rows one name", () => {
  const measures = new Set(MEASURES.map(({ name }) => name));
  for (const { measure } of ROWS) assert(measures.has(measure), measure);
  for (const measure of Object.values(PARTS)) assert(measures.has(measure), measure);
  assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  assert.equal(measures.size, MEASURES.length);
});

test("resume: only a result of the same sizes stands for a new one", () => {
  const measure = MEASURES.find(({ name }) => name === "open-large")!;
  const sizes = { keys: 100, rounds: 3, millis: 50 };
  const machine = { cpu: "", cores: 1, memoryGiB: 1, system: "", versions: {} };
  const about = { measure: "open-large", runtime: "bun", date: TODAY, commit: "" } as const;
  const results = {
    machine,
    measurements: [{ ...about, keys: 1000, rounds: 3, millis: 50, samples: {} }],
  };
  assert(isMeasured(results, measure, "bun", sizes));
  assert(!isMeasured(results, measure, "deno", sizes));
  assert(!isMeasured(results, measure, "bun", { ...sizes, keys: 1000 }));
  assert(!isMeasured(results, measure, "bun", { ...sizes, rounds: 5 }));
  assert(!isMeasured(results, measure, "bun", { ...sizes, millis: 51 }));
});
