/** The figures of a benchmark: a table for people, which can be pasted as Markdown, or JSON. */

import { markdownTable } from "markdown-table";
import { formatCount, formatNanos } from "../text_format.ts";
import type { WorkloadResult } from "./bench_run.ts";

const PERCENTILES = [50, 90, 99, 99.9] as const;
const NANOS_PER_MILLI = 1e6;

/** The table. */
export function tableOf(results: readonly WorkloadResult[]): string {
  const head = ["workload", "in flight", "ops", "ops/s", ...PERCENTILES.map((p) => `p${p}`), "max"];
  const rows = results.map((result) => [
    result.workload.name,
    formatCount(result.clients),
    formatCount(result.ops),
    formatCount(Math.round(rateOf(result))),
    ...latenciesOf(result).map(formatNanos),
  ]);
  return markdownTable([head, ...rows], { align: ["l", ...head.slice(1).map(() => "r")] });
}

/** The same for programs; latencies in milliseconds. */
export function documentOf(result: WorkloadResult) {
  const { workload, clients, ops, elapsedMs, latencies } = result;
  const [p50, p90, p99, p999, max] = latenciesOf(result).map(toMillis);
  const mean = toMillis(ops === 0 ? 0 : latencies.mean);
  return {
    workload: workload.name,
    clients,
    ops,
    durationMs: Math.round(elapsedMs * 1000) / 1000,
    opsPerSecond: Math.round(rateOf(result)),
    latencyMs: { mean, p50, p90, p99, p999, max },
  };
}

function rateOf({ ops, elapsedMs }: WorkloadResult): number {
  return ops / Math.max(0.001, elapsedMs) * 1000;
}

/** The percentiles and the maximum, in nanoseconds. */
function latenciesOf({ ops, latencies }: WorkloadResult): number[] {
  if (ops === 0) return [...PERCENTILES, 100].map(() => 0);
  const { max } = latencies;
  return [...PERCENTILES.map((share) => Math.min(max, latencies.percentile(share))), max];
}

function toMillis(nanos: number): number {
  return Math.round(nanos) / NANOS_PER_MILLI;
}
