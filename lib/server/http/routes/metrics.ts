/** `GET /metrics`: for Prometheus, in its own format or, by Accept, in that of OpenMetrics. */

import type { Route, Service } from "../route.ts";

const PROMETHEUS_TYPE = "text/plain";
const OPENMETRICS_TYPE = "application/openmetrics-text";

/** What is measured. */
export const metricsRoutes: readonly Route[] = [{
  method: "GET",
  path: "/metrics",
  operationId: "metrics",
  summary: "Figures for Prometheus",
  description: "In the text format of Prometheus, or if Accept asks for it in that of OpenMetrics.",
  tag: "service",
  responses: {
    200: {
      description: "As of now.",
      content: [{ type: PROMETHEUS_TYPE }, { type: OPENMETRICS_TYPE }],
    },
  },
  handle: answerMetrics,
}];

async function answerMetrics(
  { telemetry: { metrics } }: Service,
  request: Request,
): Promise<Response> {
  const accepted = request.headers.get("accept") ?? "";
  const format = accepted.includes(OPENMETRICS_TYPE) ? "openmetrics" : "prometheus";
  const body = new TextEncoder().encode(await metrics.render(format));
  return new Response(body, {
    headers: {
      "content-type": metrics.contentType(format),
      "content-length": String(body.length),
      "cache-control": "no-store",
      vary: "accept",
    },
  });
}
