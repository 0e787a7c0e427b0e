/** An SDK of OpenTelemetry, as an application that traces registers one. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/** What an application that traces registers: an SDK, and how contexts follow its calls. */
export class Sdk implements Disposable {
  readonly exporter = new InMemorySpanExporter();

  constructor() {
    const spanProcessors = [new SimpleSpanProcessor(this.exporter)];
    assert(trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors })));
    assert(context.setGlobalContextManager(new StorageContextManager()));
  }

  spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  [Symbol.dispose](): void {
    trace.disable();
    context.disable();
  }
}

class StorageContextManager {
  #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<Args extends unknown[], Result>(
    active: Context,
    work: (...args: Args) => Result,
    self?: unknown,
    ...args: Args
  ): Result {
    return this.#storage.run(active, () => work.apply(self, args));
  }

  bind<Target>(_active: Context, target: Target): Target {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}
