/**
 * Spans, by the OpenTelemetry API alone. The API does nothing until the application registers an
 * SDK; even so every call of it costs something, so whether there is one is asked only now and then.
 */

import {
  type Attributes,
  type Context,
  context,
  propagation,
  ProxyTracerProvider,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { KvError } from "../../mod.ts";
import { type Operation, resultOf } from "./operation_counts.ts";
import { parseTraceparent } from "./traceparent.ts";

const TRACER_NAME = "@cairn/kv";
const WORK_BETWEEN_QUESTIONS = 1024;

/** Makes spans while somebody collects them. */
export class Tracing {
  #tracer: Tracer | undefined;
  #untilQuestion = 0;

  /** Whether spans go anywhere; an SDK that is registered later is noticed after some more work. */
  get enabled(): boolean {
    if (this.#untilQuestion-- <= 0) {
      this.#untilQuestion = WORK_BETWEEN_QUESTIONS;
      this.#tracer = hasProvider() ? trace.getTracer(TRACER_NAME) : undefined;
    }
    return this.#tracer !== undefined;
  }

  /** Begins the span of a request that came with these headers. Only while {@link enabled}. */
  beginRequest(
    name: string,
    headers: Headers,
    attributes: Attributes,
  ): { span: Span; context: Context } {
    const parent = parentOf(headers);
    const span = this.#tracer!.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }

  /** Begins the span of a command that came by TCP, in this protocol. Only while {@link enabled}. */
  beginCommand(
    name: string,
    protocol: "text" | "resp",
    clientAddress: string,
  ): { span: Span; context: Context } {
    const span = this.#tracer!.startSpan(name, {
      kind: SpanKind.SERVER,
      attributes: {
        "db.system.name": "cairn",
        "db.operation.name": name,
        "network.transport": "tcp",
        "network.protocol.name": protocol,
        "client.address": clientAddress,
      },
    });
    return { span, context: trace.setSpan(context.active(), span) };
  }

  /** Begins the span of an operation of the store, within whichever is active. */
  beginOperation(operation: Operation): { span: Span; context: Context } {
    const span = this.#tracer!.startSpan(`cairn ${operation}`, {
      kind: SpanKind.INTERNAL,
      attributes: { "db.system.name": "cairn", "db.operation.name": operation },
    });
    return { span, context: trace.setSpan(context.active(), span) };
  }

  /** Runs `work` so that spans which it begins are children of the one in `within`. */
  run<Result>(within: Context, work: () => Result): Result {
    return context.with(within, work);
  }
}

/** Notes on a span what an operation failed with; a key that is missing is no error. */
export function noteOperationError(span: Span, error: unknown): void {
  span.setAttribute("error.type", error instanceof KvError ? error.code : nameOf(error));
  if (resultOf(error) !== "error") return;
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/**
 * Ends the span of a command. An error is what it was answered with; whether it was the store's fault
 * is told by the spans of the store's operations.
 */
export function endCommand(span: Span, isError: boolean): void {
  if (isError) span.setAttribute("error.type", "reply");
  span.end();
}

/** Notes on a span which status a request was answered with. */
export function noteStatus(span: Span, status: number): void {
  span.setAttribute("http.response.status_code", status);
  if (status < 500) return;
  span.setAttribute("error.type", String(status));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "_OTHER";
}

function hasProvider(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) ||
    provider.getDelegateTracer(TRACER_NAME) !== undefined;
}

/** By the application's propagators; and if it has none, by W3C Trace Context. */
function parentOf(headers: Headers): Context {
  const extracted = propagation.extract(context.active(), headers, HEADERS_GETTER);
  if (trace.getSpanContext(extracted) !== undefined) return extracted;
  const parent = parseTraceparent(headers.get("traceparent"));
  return parent === undefined
    ? extracted
    : trace.setSpanContext(extracted, { ...parent, isRemote: true });
}

const HEADERS_GETTER = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
};
