/** A store that counts its operations, and makes spans of them while somebody collects those. */

import type { Span } from "@opentelemetry/api";
import type { StoreSnapshot } from "../../mod.ts";
import { type BackupOutcome, observeSnapshot } from "./observed_snapshot.ts";
import {
  type Operation,
  type OperationCounts,
  type ResultCounts,
  resultOf,
} from "./operation_counts.ts";
import { noteOperationError, type Tracing } from "./tracing.ts";

/** How a method hands out its result. */
type Form = "promise" | "blocking" | "iterable" | "snapshot";
type Method = (...args: unknown[]) => unknown;

/** Which methods are which operation. Methods that are not here only look into memory. */
const METHODS: Record<string, [operation: Operation, form: Form]> = {
  get: ["get", "promise"],
  getEntry: ["get", "promise"],
  set: ["set", "promise"],
  delete: ["delete", "promise"],
  batch: ["batch", "promise"],
  update: ["batch", "promise"],
  flush: ["flush", "promise"],
  compact: ["compact", "promise"],
  backup: ["backup", "promise"],
  snapshot: ["backup", "snapshot"],
  getSync: ["get", "blocking"],
  getEntrySync: ["get", "blocking"],
  setSync: ["set", "blocking"],
  deleteSync: ["delete", "blocking"],
  batchSync: ["batch", "blocking"],
  flushSync: ["flush", "blocking"],
  scan: ["list", "iterable"],
  changes: ["changes", "iterable"],
};

/** What an {@link observeStore} tells. */
export interface StoreWatch {
  operations: OperationCounts;
  tracing: Tracing;
  /** Iterations that have begun and are not over, by operation. */
  open: Partial<Record<Operation, number>>;
}

/** A store with the same methods as `store`, each doing the same; operations are counted. */
export function observeStore<Store extends object>(store: Store, watch: StoreWatch): Store {
  const observed: Record<string, unknown> = {};
  let level: object | null = store;
  while (level !== null && level !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name === "constructor" || name in observed) continue;
      const { value } = Object.getOwnPropertyDescriptor(level, name)!;
      if (typeof value === "function") observed[name] = observeMethod(store, name, value, watch);
      else {
        const get = () => (store as Record<string, unknown>)[name];
        Object.defineProperty(observed, name, { get, enumerable: true });
      }
    }
    level = Object.getPrototypeOf(level);
  }
  return observed as Store;
}

function observeMethod(store: object, name: string, method: Method, watch: StoreWatch): Method {
  const call: Method = (a, b, c, d) => (store as Record<string, Method>)[name]!(a, b, c, d);
  const known = METHODS[name];
  if (known === undefined) return method.bind(store);
  const [operation, form] = known;
  const counts = watch.operations.counts[operation];
  switch (form) {
    case "promise":
      return observePromise(call, operation, counts, watch.tracing);
    case "blocking":
      return observeBlocking(call, operation, counts, watch.tracing);
    case "snapshot":
      return observeTaking(call, operation, counts, watch.tracing);
    case "iterable":
      return (...args) => new ObservedIteration(() => call(...args), operation, watch);
  }
}

function observePromise(
  call: Method,
  operation: Operation,
  counts: ResultCounts,
  tracing: Tracing,
): Method {
  const succeeded = resultCounter(operation, counts);
  const failed = (error: unknown): never => {
    counts[resultOf(error)]++;
    throw error;
  };
  const counted = (a: unknown, b: unknown, c: unknown): Promise<unknown> => {
    let result: Promise<unknown>;
    try {
      result = call(a, b, c) as Promise<unknown>;
    } catch (error) {
      counts[resultOf(error)]++;
      return Promise.reject(error);
    }
    // What a store hands out at once, such as a stream, has been had.
    return result instanceof Promise ? result.then(succeeded, failed) : succeeded(result);
  };
  return (a, b, c) => {
    if (!tracing.enabled) return counted(a, b, c);
    const { span, context } = tracing.beginOperation(operation);
    const result = tracing.run(context, () => counted(a, b, c));
    if (!(result instanceof Promise)) {
      span.end();
      return result;
    }
    return result.then(
      (result) => {
        span.end();
        return result;
      },
      (error) => {
        endWith(span, error);
        throw error;
      },
    );
  };
}

function observeBlocking(
  call: Method,
  operation: Operation,
  counts: ResultCounts,
  tracing: Tracing,
): Method {
  const succeeded = resultCounter(operation, counts);
  return (a, b, c, d) => {
    const span = tracing.enabled ? tracing.beginOperation(operation).span : undefined;
    try {
      const result = succeeded(call(a, b, c, d));
      span?.end();
      return result;
    } catch (error) {
      counts[resultOf(error)]++;
      if (span !== undefined) endWith(span, error);
      throw error;
    }
  };
}

/**
 * A snapshot is taken for a backup, and counts as one when that is over. One that its reader gives up
 * is none, and no failure of the store either.
 */
function observeTaking(
  call: Method,
  operation: Operation,
  counts: ResultCounts,
  tracing: Tracing,
): Method {
  return async () => {
    const span = tracing.enabled ? tracing.beginOperation(operation).span : undefined;
    const end = (outcome: BackupOutcome) => {
      if (typeof outcome === "object") {
        counts[resultOf(outcome.error)]++;
        if (span !== undefined) noteOperationError(span, outcome.error);
      } else if (outcome === "whole") {
        counts.ok++;
      }
      span?.end();
    };
    try {
      return observeSnapshot(await call() as StoreSnapshot, end);
    } catch (error) {
      end({ error });
      throw error;
    }
  };
}

function resultCounter(operation: Operation, counts: ResultCounts): <T>(result: T) => T {
  if (operation !== "get") {
    return (result) => {
      counts.ok++;
      return result;
    };
  }
  return (result) => {
    if (result === undefined) counts.not_found++;
    else if (!isLeftOut(result)) counts.ok++;
    return result;
  };
}

/** Whether a value was too long for the one who asked: it is read, and counted, by another call. */
function isLeftOut(result: unknown): boolean {
  return (result as { size?: number }).size !== undefined;
}

function endWith(span: Span, error: unknown): void {
  noteOperationError(span, error);
  span.end();
}

/** One iteration, counted when it is over, however that comes about. */
class ObservedIteration implements AsyncIterableIterator<unknown> {
  #inner: AsyncIterator<unknown>;
  #operation: Operation;
  #watch: StoreWatch;
  #state: "new" | "open" | "over" = "new";
  #span: Span | undefined;

  constructor(call: () => unknown, operation: Operation, watch: StoreWatch) {
    this.#operation = operation;
    this.#watch = watch;
    try {
      this.#inner = (call() as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    } catch (error) {
      watch.operations.counts[operation][resultOf(error)]++;
      throw error;
    }
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#state === "new") this.#begin();
    try {
      const result = await this.#inner.next();
      if (result.done) this.#end(undefined);
      return result;
    } catch (error) {
      this.#end(error);
      throw error;
    }
  }

  async return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#end(undefined);
    return await this.#inner.return?.(value) ?? { done: true, value };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    return this;
  }

  /** Of a change feed: how far it has come. */
  get version(): number | undefined {
    return (this.#inner as { version?: number }).version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #begin(): void {
    const { open, tracing } = this.#watch;
    this.#state = "open";
    open[this.#operation] = (open[this.#operation] ?? 0) + 1;
    if (tracing.enabled) this.#span = tracing.beginOperation(this.#operation).span;
  }

  #end(error: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    const { open, operations } = this.#watch;
    open[this.#operation]!--;
    // Whoever follows changes ends that by aborting it: nothing has failed then.
    const failed = error !== undefined && !isAbort(error);
    operations.counts[this.#operation][failed ? resultOf(error) : "ok"]++;
    if (this.#span === undefined) return;
    if (failed) noteOperationError(this.#span, error);
    this.#span.end();
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
