/** What is counted of requests: how long, how many, how much; by route and status, never by key. */

import { Distribution, SECONDS_BOUNDS } from "../telemetry/distribution.ts";
import type { DistributionSample, Metric } from "../telemetry/metric_set.ts";
import type { RouteTemplates } from "./route_templates.ts";

const METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"];
const OTHER_METHOD = "other";
/** The values of the label `method`. */
export const METHOD_LABELS: readonly string[] = [...METHODS, OTHER_METHOD];
const STATUS_CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/** The label for a method; whatever clients make up is `other`. */
export function methodLabel(method: string): string {
  return METHODS.includes(method) ? method : OTHER_METHOD;
}

/** Counts requests. */
export class RequestMetrics {
  /** Requests that wait for the beginning of their answer. */
  inFlight = 0;
  /** Bytes of bodies received. */
  bytesIn = 0;
  /** Bytes of bodies sent, or handed to the runtime for that. */
  bytesOut = 0;

  #routes: RouteTemplates;
  /** By route, method and status class; those that have occurred. */
  #cells: (Distribution | undefined)[] = [];

  /** Begins at zero. */
  constructor(routes: RouteTemplates) {
    this.#routes = routes;
  }

  /** Takes a request that has got its answer. */
  observe(route: number, method: string, status: number, seconds: number): void {
    const at = METHODS.indexOf(method);
    const methodIndex = at === -1 ? METHODS.length : at;
    const statusClass = Math.min(5, Math.max(1, Math.floor(status / 100))) - 1;
    const cell = (route * METHOD_LABELS.length + methodIndex) * STATUS_CLASSES.length + statusClass;
    (this.#cells[cell] ??= new Distribution(SECONDS_BOUNDS)).observe(seconds);
  }

  /** The metrics. */
  metrics(): Metric[] {
    return [
      {
        name: "cairn_http_request_duration_seconds",
        help: "Time until the answer to a request begins, by method, route and status class",
        type: "histogram",
        labelNames: ["method", "route", "status"],
        collect: () => this.#durations(),
      },
      {
        name: "cairn_http_requests_in_flight",
        help: "Requests that wait for the beginning of their answer",
        type: "gauge",
        collect: () => [{ value: this.inFlight }],
      },
      {
        name: "cairn_http_request_bytes_total",
        help: "Bytes of request bodies",
        type: "counter",
        collect: () => [{ value: this.bytesIn }],
      },
      {
        name: "cairn_http_response_bytes_total",
        help: "Bytes of response bodies",
        type: "counter",
        collect: () => [{ value: this.bytesOut }],
      },
    ];
  }

  *#durations(): Iterable<DistributionSample> {
    for (const [cell, distribution] of this.#cells.entries()) {
      if (distribution === undefined) continue;
      const pair = Math.floor(cell / STATUS_CLASSES.length);
      const status = STATUS_CLASSES[cell % STATUS_CLASSES.length]!;
      const method = METHOD_LABELS[pair % METHOD_LABELS.length]!;
      const route = this.#routes.all[Math.floor(pair / METHOD_LABELS.length)]!;
      yield { labels: { method, route, status }, distribution };
    }
  }
}
