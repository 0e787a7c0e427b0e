/** A strict reader of the text format of Prometheus: what it does not know is an error. */

import assert from "node:assert/strict";

/** One line with a figure. */
export interface ParsedSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric with its lines. */
export interface Family {
  name: string;
  help: string;
  type: string;
  samples: ParsedSample[];
}

const NAME = /^[a-z][a-z0-9_]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const NUMBER = /^(?:[+-]?Inf|NaN|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** Reads a scrape; every rule of the format that is broken fails the test. */
export function parseExposition(text: string): Map<string, Family> {
  assert(text.endsWith("\n"), "the last line has an end");
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      assert.match(help[1]!, NAME);
      assert(!families.has(help[1]!), `${help[1]} comes once`);
      family = { name: help[1]!, help: help[2]!, type: "", samples: [] };
      families.set(family.name, family);
    } else if (type !== null) {
      assert.equal(type[1], family?.name, "TYPE follows HELP");
      assert.equal(family!.type, "");
      family!.type = type[2]!;
    } else {
      assert(family !== undefined && family.type !== "", `no metric is begun at ${line}`);
      family.samples.push(parseSample(line, family));
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** The figure with exactly these labels. */
export function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  const found =
    family?.samples.filter((sample) => sample.name === name && sameLabels(sample.labels, labels)) ??
      [];
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)} is there once`);
  return found[0]!.value;
}

function parseSample(line: string, { name: family, type }: Family): ParsedSample {
  const [, name, labelText = "", number] = SAMPLE.exec(line) ??
    assert.fail(`not a sample: ${line}`);
  const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  assert(suffixes.some((suffix) => name === family + suffix), `${name} belongs to ${family}`);
  assert.match(number!, NUMBER);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? assert.fail(`labels of ${line}`);
    assert(!(label! in labels), `${label} twice in ${line}`);
    labels[label!] = value!.replace(/\\(.)/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
  }
  const value = Number(number!.replace("Inf", "Infinity"));
  assert(!Number.isNaN(value), `a number in ${line}`);
  return { name: name!, labels, value };
}

function checkFamily({ name, type, samples }: Family): void {
  const series = samples.map((sample) => `${sample.name}${JSON.stringify(sample.labels)}`);
  assert.equal(new Set(series).size, series.length, `no series of ${name} is there twice`);
  assert.equal(type === "counter", name.endsWith("_total"), `${name}: counters end in _total`);
  if (type === "counter") assert(samples.every(({ value }) => value >= 0));
  if (type !== "histogram") return;
  const groups = Map.groupBy(samples, ({ labels: { le: _le, ...rest } }) => JSON.stringify(rest));
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]!.replace("Inf", "Infinity")));
    assert.equal(bounds.at(-1), Infinity);
    assert.deepEqual(bounds, bounds.toSorted((one, other) => one - other));
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(counts, counts.toSorted((one, other) => one - other), "they are cumulative");
    const [count] = group.filter((sample) => sample.name === `${name}_count`);
    const [sum] = group.filter((sample) => sample.name === `${name}_sum`);
    assert.equal(group.length, buckets.length + 2);
    assert.equal(count!.value, counts.at(-1));
    checkSum(sum!.value, bounds, counts);
  }
}

/** The sum lies between those that have every value at the lower and at the upper bound. */
function checkSum(sum: number, bounds: number[], counts: number[]): void {
  const own = counts.map((count, index) => count - (counts[index - 1] ?? 0));
  const least = own.reduce((total, count, index) => total + count * (bounds[index - 1] ?? 0), 0);
  const most = own.reduce((total, n, index) => total + (n === 0 ? 0 : n * bounds[index]!), 0);
  assert(sum >= least * (1 - 1e-9) && sum <= most * (1 + 1e-9), `${least} <= ${sum} <= ${most}`);
}

function sameLabels(one: Record<string, string>, other: Record<string, string>): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length &&
    names.every((name) => one[name] === other[name]);
}
