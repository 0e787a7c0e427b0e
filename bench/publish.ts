/** Puts results into docs/: as JSON, as a chart, and as the tables of the page. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawChart } from "./chart.ts";
import { DENO, ROOT } from "./machine.ts";
import { fillPage } from "./page.ts";
import { type Results, writeResults } from "./results.ts";

const PAGE = join(ROOT, "docs/performance.md");
const RESULTS = join(ROOT, "docs/performance.json");
const CHART = join(ROOT, "docs/performance.svg");

/** Writes all three. */
export function publish(results: Results): void {
  writeResults(RESULTS, results);
  drawChart(CHART, results);
  writeFileSync(PAGE, fillPage(readFileSync(PAGE, "utf8"), results));
  execFileSync(DENO, ["fmt", "--quiet", PAGE, RESULTS, CHART], { cwd: ROOT });
}
