/** The chart: how many operations a second Cairn and its peers do, under both runtimes. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Runtime, RUNTIMES } from "./arguments.ts";
import { requirePeer } from "./engines/peer.ts";
import { measurementOf, type Results, samplesOf } from "./results.ts";
import { median } from "./statistics.ts";
import { showRate } from "./text_table.ts";

/** What of ECharts is used. */
interface Echarts {
  init(element: null, theme: null, options: object): {
    setOption(option: object): void;
    renderToSVGString(): string;
    dispose(): void;
  };
}

/** One set of bars. */
interface Panel {
  title: string;
  measure: string;
  figure: string;
  subjects: readonly string[];
}

const EMBEDDED = ["cairn", "lmdb", "lmdb noSync", "classic-level", "sqlite", "deno kv"];
const DURABLE = ["bare", "cairn", "lmdb", "classic-level", "sqlite", "deno kv"];

const PANELS: readonly Panel[] = [
  { title: "Bulk set", measure: "bulk", figure: "setPerSecond", subjects: EMBEDDED },
  { title: "Random get", measure: "bulk", figure: "getPerSecond", subjects: EMBEDDED },
  {
    title: "Durable set, one at a time",
    measure: "durable-one",
    figure: "setPerSecond",
    subjects: DURABLE,
  },
  {
    title: "Durable set, 64 at once",
    measure: "durable-many",
    figure: "setPerSecond",
    subjects: DURABLE,
  },
];

const WIDTH = 960;
const HEIGHT = 620;
const PANEL_WIDTH = 330;
const PANEL_HEIGHT = 220;
const COLUMN_LEFTS = [110, 580];
const ROW_TOPS = [80, 370];

/** Colours stand in the picture as these, and a style sheet in it says what dark mode makes of them. */
const INK = "#24292f";
const FAINT = "#d0d7de";
const PAPER = "#ffffff";
const COLOURS: Record<Runtime, string> = { bun: "#0969da", deno: "#bf8700" };
const DARK: Record<string, string> = {
  [INK]: "#e6edf3",
  [FAINT]: "#30363d",
  [PAPER]: "#0d1117",
  [COLOURS.bun]: "#58a6ff",
  [COLOURS.deno]: "#e3b341",
};
const RUNTIME_NAMES: Record<Runtime, string> = { bun: "Bun", deno: "Deno" };

/** The chart as SVG, readable on light and on dark pages. */
function chartSvg(results: Results): string {
  const { init } = requirePeer<Echarts>("echarts");
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption(chartOption(results));
  // What is for a pointer over the chart is of no use in a picture.
  const svg = chart.renderToSVGString().replace(/<style ?><!\[CDATA\[.*?<\/style>/s, "")
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, "");
  chart.dispose();
  const rules = Object.entries(DARK).map(([light, dark]) =>
    `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`
  );
  const style = `<style>@media(prefers-color-scheme:dark){${rules.join("")}}</style>`;
  const label = `<title>Operations a second of Cairn and other stores</title>`;
  return svg.replace(/^(<svg[^>]*>)/, `$1${label}${style}`) + "\n";
}

function chartOption(results: Results): object {
  const panels = PANELS.map((panel, index) => ({
    ...panel,
    subjects: panel.subjects.filter((subject) =>
      RUNTIMES.some((runtime) => rateOf(results, panel, subject, runtime) !== undefined)
    ),
    left: COLUMN_LEFTS[index % 2]!,
    top: ROW_TOPS[index >> 1]!,
  }));
  const text = { color: INK, fontFamily: "system-ui, sans-serif" };
  return {
    animation: false,
    backgroundColor: PAPER,
    color: Object.values(COLOURS),
    textStyle: text,
    legend: { top: 12, itemGap: 24, textStyle: { ...text, fontSize: 13 } },
    title: panels.map(({ title, left, top }) => ({
      text: `${title}, operations a second`,
      left,
      top: top - 30,
      padding: 0,
      textStyle: { ...text, fontSize: 14 },
    })),
    grid: panels.map(({ left, top }) => ({ left, top, width: PANEL_WIDTH, height: PANEL_HEIGHT })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: "value",
      splitNumber: 4,
      axisLabel: { ...text, formatter: showRate },
      splitLine: { lineStyle: { color: FAINT } },
    })),
    yAxis: panels.map(({ subjects }, gridIndex) => ({
      gridIndex,
      type: "category",
      inverse: true,
      data: subjects,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: FAINT } },
      axisLabel: { ...text, fontSize: 12 },
    })),
    series: panels.flatMap((panel, index) =>
      RUNTIMES.map((runtime) => ({
        type: "bar",
        name: RUNTIME_NAMES[runtime],
        xAxisIndex: index,
        yAxisIndex: index,
        silent: true,
        data: panel.subjects.map((subject) => rateOf(results, panel, subject, runtime) ?? null),
        label: {
          ...text,
          show: true,
          position: "right",
          fontSize: 11,
          formatter: ({ value }: { value: number | null }) => value === null ? "" : showRate(value),
        },
      }))
    ),
  };
}

function rateOf(
  results: Results,
  { measure, figure }: Panel,
  subject: string,
  runtime: Runtime,
): number | undefined {
  const measurement = measurementOf(results, measure, runtime);
  const values = samplesOf(measurement, subject, figure);
  // Deno KV has only asynchronous reads.
  const either = values.length > 0 || figure !== "getPerSecond"
    ? values
    : samplesOf(measurement, subject, "getAsyncPerSecond");
  return either.length === 0 ? undefined : median(either);
}

/** Writes the chart to a file. */
export function drawChart(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, chartSvg(results));
}
