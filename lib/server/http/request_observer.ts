/** Stands around the application and measures, logs and traces every request; changes none. */

import type { Context, Span } from "@opentelemetry/api";
import type { Hono } from "hono";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { noteStatus, type Tracing } from "../telemetry/tracing.ts";
import { countResponse, requestBytes } from "./body_bytes.ts";
import { HttpError, problemOf, statusOf } from "./problem.ts";
import { givenRequestId, REQUEST_ID_HEADER, RequestIds } from "./request_id.ts";
import { RequestLog } from "./request_log.ts";
import { methodLabel, RequestMetrics } from "./request_metrics.ts";
import { rawPath } from "./request_target.ts";
import { RouteTemplates } from "./route_templates.ts";

const URL_PATH_LENGTH_MAX = 200;

type Answer = Response | Promise<Response>;
type Execution = Parameters<Hono["fetch"]>[2];

/** What a {@link RequestObserver} works with. */
export interface RequestObserverContext {
  telemetry: Telemetry;
  logger: Logger;
  /** Requests that take so many milliseconds or longer are slow. */
  slowRequestMs: number;
}

/** Observes the requests of one application. */
export class RequestObserver {
  #telemetry: Telemetry;
  #clock: Clock;
  #tracing: Tracing;
  #log: RequestLog;
  #ids = new RequestIds();
  #routes = new RouteTemplates([]);
  #metrics = new RequestMetrics(this.#routes);
  /** Why requests failed that did. */
  #errors = new WeakMap<Request, unknown>();
  #countOut = (byteLength: number): void => {
    this.#metrics.bytesOut += byteLength;
  };

  /** Observes nothing yet. */
  constructor({ telemetry, logger, slowRequestMs }: RequestObserverContext) {
    this.#telemetry = telemetry;
    this.#clock = telemetry.clock;
    this.#tracing = telemetry.tracing;
    this.#log = new RequestLog(logger, slowRequestMs);
  }

  /** Stands around `app.fetch` from now on. The routes must all be there. */
  observe(app: Hono): void {
    this.#routes = new RouteTemplates(app.routes.map(({ path }) => path));
    this.#metrics = new RequestMetrics(this.#routes);
    this.#telemetry.metrics.add(...this.#metrics.metrics());
    const { fetch } = app;
    app.fetch = (request, env, context) => this.#answer(fetch, request, env, context);
  }

  /** The answer to a request that threw; notes why, if the service is what failed. */
  failed(request: Request, error: unknown): Response {
    const isOverload = error instanceof HttpError && error.code === "Overloaded";
    if (statusOf(error) >= 500 && !isOverload) this.#errors.set(request, error);
    return problemOf(error);
  }

  #answer(fetch: Hono["fetch"], request: Request, env: unknown, context: Execution): Answer {
    const begin = this.#clock.monotonic();
    this.#metrics.inFlight++;
    const route = this.#routes.indexOf(request);
    const traced = this.#tracing.enabled ? this.#beginSpan(request, route) : undefined;
    let answer: Answer;
    try {
      answer = traced === undefined
        ? fetch(request, env as object, context)
        : this.#tracing.run(traced.context, () => fetch(request, env as object, context));
    } catch (error) {
      answer = this.failed(request, error);
    }
    if (!(answer instanceof Promise)) return this.#finish(request, route, begin, answer, traced);
    return answer.then(
      (response) => this.#finish(request, route, begin, response, traced),
      (error) => this.#finish(request, route, begin, this.failed(request, error), traced),
    );
  }

  #finish(
    request: Request,
    route: number,
    begin: number,
    response: Response,
    traced: { span: Span } | undefined,
  ): Answer {
    const metrics = this.#metrics;
    const { method } = request;
    const { status } = response;
    const durationMs = this.#clock.monotonic() - begin;
    metrics.inFlight--;
    metrics.observe(route, method, status, durationMs / 1000);
    const bytesIn = requestBytes(request);
    metrics.bytesIn += bytesIn;
    if (traced !== undefined) {
      noteStatus(traced.span, status);
      traced.span.end();
    }
    let requestId = givenRequestId(request.headers);
    if (this.#log.wants(status, durationMs)) {
      requestId ??= this.#ids.next();
      this.#log.write({
        request,
        route: this.#routes.all[route]!,
        status,
        durationMs,
        requestBytes: bytesIn,
        requestId,
        traceId: traced?.span.spanContext().traceId,
        error: this.#errors.get(request),
      });
    }
    // One that is in no log and that the client does not know would find nothing.
    const answer = requestId === undefined ? response : withRequestId(response, requestId);
    return countResponse(method, answer, this.#countOut);
  }

  #beginSpan(request: Request, route: number): { span: Span; context: Context } {
    const { method, url, headers } = request;
    const template = this.#routes.all[route]!;
    const isKnown = methodLabel(method) === method;
    const address = /^(https?):\/\/(\[[^\]]*\]|[^/:?#]*)(?::(\d+))?/.exec(url);
    return this.#tracing.beginRequest(`${isKnown ? method : "HTTP"} ${template}`, headers, {
      "http.request.method": isKnown ? method : "_OTHER",
      "http.route": template,
      "url.path": rawPath(request).slice(0, URL_PATH_LENGTH_MAX),
      "url.scheme": address?.[1] ?? "http",
      ...(address === null ? {} : { "server.address": address[2]! }),
      ...(address?.[3] === undefined ? {} : { "server.port": Number(address[3]) }),
    });
  }
}

function withRequestId(response: Response, requestId: string): Response {
  try {
    response.headers.set(REQUEST_ID_HEADER, requestId);
    return response;
  } catch {
    // Those of redirections and of answers that were fetched cannot be changed.
    const { body, status, statusText } = response;
    const headers = new Headers(response.headers);
    headers.set(REQUEST_ID_HEADER, requestId);
    return new Response(body, { status, statusText, headers });
  }
}
