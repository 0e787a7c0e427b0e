/** The tables of docs/performance.md, made of results and put between markers. */

import { RUNTIMES } from "./arguments.ts";
import { type Measurement, measurementOf, type Results } from "./results.ts";
import { ROWS } from "./rows.ts";
import { median, spreadOf } from "./statistics.ts";
import { showMeasured, showNumber, showRate, showVerdict, showWanted } from "./text_table.ts";
import { judge, type Verdict } from "./verdict.ts";

/** Names of the generated parts of the page, and what they are made of. */
const SECTIONS: Record<string, (results: Results) => string> = {
  machine: machineText,
  rows: rowsTable,
  rates: ratesTable,
  scale: (results) => variantsTable(results, "scale", /./),
  sizes: (results) => variantsTable(results, "sizes", /^[gs]etPerSecond$/),
  stalls: (results) => figuresTable(results, "pauses"),
  amplification: (results) => figuresTable(results, "amplification"),
  threads: (results) => figuresTable(results, "threads"),
  startup: (results) => figuresTable(results, "startup"),
};

/** The measures whose figures `rates` shows. */
const RATES = ["bulk", "durable-one", "durable-many", "redis", "http"];

const NOTHING = "Not measured yet.";

/** `page` with everything between markers made anew. Throws if a marker is missing. */
export function fillPage(page: string, results: Results): string {
  return Object.entries(SECTIONS).reduce((text, [name, make]) => {
    const [begin, end] = [`<!-- ${name}: made by the harness -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`The page has no markers for ${name}`);
    return `${text.slice(0, from + begin.length)}\n\n${make(results)}\n\n${text.slice(to)}`;
  }, page);
}

function machineText(results: Results): string {
  const { machine, measurements } = results;
  const { cpu, cores, memoryGiB, system, versions } = machine;
  const dates = measurements.map(({ date }) => date).sort();
  const when = dates.length === 0
    ? NOTHING
    : dates[0] === dates.at(-1)
    ? `Measured on ${dates[0]}.`
    : `Measured from ${dates[0]} to ${dates.at(-1)}.`;
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const isPreliminary = ROWS.some((row) =>
    RUNTIMES.some((runtime) => judge(results, row, runtime)?.isFullSize === false)
  );
  const note = isPreliminary
    ? " Where a cell names a smaller number of keys it is a first look, and proves nothing yet."
    : "";
  return `${when} ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; ${list}.${note}`;
}

function rowsTable(results: Results): string {
  const lines = ROWS.map((row) => {
    const [bun, deno] = RUNTIMES.map((runtime) => judge(results, row, runtime));
    const either = bun ?? deno;
    const wanted = either === undefined ? "" : showWanted(either);
    return [row.title, wanted, cell(bun), bun === undefined ? "" : showVerdict(bun), cell(deno)];
  });
  return table(["row", "wanted", "Bun", "verdict, under Bun", "Deno"], lines);
}

function cell(verdict: Verdict | undefined): string {
  return verdict === undefined ? "not measured" : showMeasured(verdict);
}

function ratesTable(results: Results): string {
  const lines = RATES.flatMap((measure) => linesOf(results, measure, /PerSecond$/));
  return table(["measure", "who", "figure", "Bun", "Deno"], lines);
}

/** Every figure of one measure: rows are subjects and figures, columns the runtimes. */
function figuresTable(results: Results, measure: string): string {
  const lines = linesOf(results, measure, /./).map(([, ...line]) => line);
  if (lines.length === 0) return NOTHING;
  return `${sizeText(results, measure)}\n\n${table(["who", "figure", "Bun", "Deno"], lines)}`;
}

/**
 * Figures of subjects that come in several sizes, named as "who, size": a column for each size, and
 * in it medians under Bun and Deno.
 */
function variantsTable(results: Results, measure: string, figures: RegExp): string {
  const measurements = RUNTIMES.map((runtime) => measurementOf(results, measure, runtime));
  const cells = measurements.flatMap((each) => figureNames(each)).map((name) => {
    const [subject, figure] = name.split("\0") as [string, string];
    const [who, size] = subject.split(", ") as [string, string];
    const medians = measurements.map((each) => showShort(each?.samples[subject]?.[figure]));
    return { who, size, figure, text: medians.join(" / ") };
  }).filter(({ figure }) => figures.test(figure));
  if (cells.length === 0) return NOTHING;
  const sizes = [...new Set(cells.map(({ size }) => size))];
  const rows = [...new Set(cells.map(({ who, figure }) => `${who}\0${figure}`))];
  const lines = rows.map((row) => {
    const [who, figure] = row.split("\0");
    const textOf = (size: string) =>
      cells.find((each) => each.who === who && each.figure === figure && each.size === size)?.text;
    return [who!, figure!, ...sizes.map((size) => textOf(size) ?? "")];
  });
  return table(["who", "figure", ...sizes], lines);
}

/** A median in few letters. */
function showShort(values: readonly number[] | undefined): string {
  if (values === undefined) return "-";
  const value = median(values);
  return value >= 1000 ? showRate(value) : showNumber(value);
}

/** With how many keys, and how often, a measure was run. */
function sizeText(results: Results, measure: string): string {
  const sizes = RUNTIMES.flatMap((runtime) => {
    const found = measurementOf(results, measure, runtime);
    if (found === undefined) return [];
    const keys = found.keys === 1 ? "" : `${showRate(found.keys)} keys, `;
    return `${keys}${found.rounds === 1 ? "one round" : `${found.rounds} rounds`}`;
  });
  return `${[...new Set(sizes)].join(" under Bun; under Deno ")}.`;
}

function linesOf(results: Results, measure: string, figures: RegExp): string[][] {
  const measurements = RUNTIMES.map((runtime) => measurementOf(results, measure, runtime));
  const names = new Set(measurements.flatMap((each) => figureNames(each)));
  const keys = Math.min(...measurements.flatMap((each) => each?.keys ?? []));
  return [...names].map((name) => name.split("\0"))
    .filter(([, figure]) => figures.test(figure!))
    .map(([subject, figure]) => [
      `${measure}, ${showRate(keys)} keys`,
      subject!,
      figure!,
      ...measurements.map((each) => showFigure(each?.samples[subject!]?.[figure!])),
    ]);
}

function figureNames(measurement: Measurement | undefined): string[] {
  return Object.entries(measurement?.samples ?? {}).flatMap(([subject, figures]) =>
    Object.keys(figures).map((figure) => `${subject}\0${figure}`)
  );
}

function showFigure(values: readonly number[] | undefined): string {
  if (values === undefined) return "";
  const { median, min, max } = spreadOf(values);
  return `${showNumber(median)} (${showNumber(min)} to ${showNumber(max)})`;
}

/** A table in Markdown, laid out as `deno fmt` does. */
function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, 3, ...lines.map((line) => line[column]?.length ?? 0))
  );
  const show = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [show(head), show(widths.map((width) => "-".repeat(width))), ...lines.map(show)]
    .join("\n");
}
