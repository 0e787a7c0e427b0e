/** Holds docs/observability.md against what the code measures and logs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ObservedService } from "../server/observed_service.ts";
import { METHOD_LABELS } from "../../lib/server/http/request_metrics.ts";
import { PROTOCOLS } from "../../lib/server/tcp/command_counts.ts";
import { CUT_REASONS, TcpMetrics } from "../../lib/server/tcp/tcp_metrics.ts";
import { OPERATIONS, RESULTS } from "../../lib/server/telemetry/operation_counts.ts";
import { readText, tableUnder } from "./markdown.ts";

const TEXT = readText("docs/observability.md");

test("observability.md: every metric, with its type and labels, in order", async () => {
  await using service = await ObservedService.start();
  const { metrics } = service.telemetry.metrics;
  assert.deepEqual(
    tableUnder(TEXT, "Metrics").map(({ metric, type, labels }) => ({ metric, type, labels })),
    metrics.map(({ name, type, labelNames = [] }) => ({
      metric: name,
      type,
      labels: labelNames.join(", "),
    })),
  );
});

test("observability.md: every metric of the TCP service", () => {
  assert.deepEqual(
    tableUnder(TEXT, "Metrics over TCP"),
    new TcpMetrics().metrics().map(({ name, type, labelNames = [], help }) => ({
      metric: name,
      type,
      labels: labelNames.join(", "),
      meaning: (help[0]!.toLowerCase() + help.slice(1)).replace(/, by .*/, ""),
    })),
  );
});

test("observability.md: the values of labels", () => {
  const valuesOf = (label: string) =>
    tableUnder(TEXT, "Labels").find((row) => row["label"] === label)!["values"]!
      .replace(/ \([^)]*\)/g, "").split(", ");
  assert.deepEqual(valuesOf("operation"), [...OPERATIONS]);
  assert.deepEqual(valuesOf("result"), [...RESULTS]);
  assert.deepEqual(valuesOf("method"), [...METHOD_LABELS]);
  assert.deepEqual(valuesOf("reason"), [...CUT_REASONS]);
  assert.deepEqual(valuesOf("protocol"), [...PROTOCOLS]);
});

test("observability.md: the fields of a request's line", async () => {
  await using service = await ObservedService.start();
  await service.ask("GET", "/v1/kv/none");
  const documented = tableUnder(TEXT, "Logs").map(({ field }) => field!);
  const logged = Object.keys(service.logger.messages[0]!.properties);
  assert.deepEqual(documented.filter((field) => !["traceId", "error"].includes(field)), logged);
});
