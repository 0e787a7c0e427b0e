/**
 * Figures of the process, under the names that Prometheus has for them in any program. They are
 * read here because of prom-client's own some are wrong under Bun, and some set up observers that
 * nothing takes away again.
 */

import { readdirSync } from "node:fs";
import process from "node:process";
import type { Clock } from "../../clock.ts";
import { EventLoopLag } from "./event_loop_lag.ts";
import type { Metric } from "./metric_set.ts";

/** What a program was made from. */
export interface ProgramInfo {
  /** Its version. */
  version: string;
  /** The commit that it was built from. */
  commit: string;
  /** What runs it, such as `bun 1.4.5`. */
  runtime: string;
}

/** Metrics of this process; of a program of which nothing is known, without `cairn_build_info`. */
export function processMetrics(clock: Clock, program: ProgramInfo | undefined): Metric[] {
  const startSeconds = (clock.now() - process.uptime() * 1000) / 1000;
  const lag = new EventLoopLag(clock);
  return [
    {
      name: "process_cpu_seconds_total",
      help: "Processor time spent, of the user and the system",
      type: "counter",
      collect: () => [{ value: cpuSeconds() }],
    },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory",
      type: "gauge",
      collect: () => [{ value: process.memoryUsage().rss }],
    },
    {
      name: "cairn_heap_used_bytes",
      help: "Memory that JavaScript objects use; the index is not among them",
      type: "gauge",
      collect: () => [{ value: process.memoryUsage().heapUsed }],
    },
    {
      name: "process_open_fds",
      help: "Open file descriptors; Linux only",
      type: "gauge",
      collect: () => {
        const value = openDescriptors();
        return value === undefined ? [] : [{ value }];
      },
    },
    {
      name: "process_start_time_seconds",
      help: "When the process was started, in seconds since the epoch",
      type: "gauge",
      collect: () => [{ value: startSeconds }],
    },
    {
      name: "cairn_event_loop_lag_seconds",
      help: "How late the event loop was, measured ten times a second while somebody scrapes",
      type: "histogram",
      collect: () => {
        lag.keepMeasuring();
        return [{ distribution: lag.seconds }];
      },
    },
    {
      name: "cairn_build_info",
      help: "1, with version, commit and runtime of the program",
      type: "gauge",
      labelNames: ["version", "commit", "runtime"],
      collect: () => program === undefined ? [] : [{ labels: labelsOf(program), value: 1 }],
    },
  ];
}

function labelsOf({ version, commit, runtime }: ProgramInfo): Record<string, string> {
  return { version, commit, runtime };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1; // without the one that reads the directory
  } catch {
    return undefined; // another system, or Deno without the permission to read there
  }
}
