/** The measuring loop: clients that each wait for an answer before they send the next request. */

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { type Clock, systemClock } from "../../clock.ts";
import type { BenchOperation } from "./workloads.ts";

/** Of three digits, so that a figure is wrong by a thousandth at most. */
const HISTOGRAM = { lowest: 1, highest: 3_600_000_000_000, figures: 3 } as const;
const NANOS_PER_MILLI = 1e6;
/** So often whatever else waits has its turn: signals, and the line that tells how far it is. */
const TURN_EVERY_MS = 10;
/** Timers are late by up to so much; the rest of a wait is spent asking for the time. */
const TIMER_SLACK_MS = 2;

/** How long, how much, and how much at once. */
export interface LoadOptions {
  /** Operations in flight. */
  clients: number;
  /** It ends after so many operations. */
  opsMax: number;
  /** Or after so many milliseconds. */
  durationMs: number;
  /** So many operations a second are due, at equal distances; undefined for as many as there can be. */
  rate: number | undefined;
  /** Called every few milliseconds; throws to stop. */
  onTurn: (ops: number, elapsedMs: number) => void;
}

/** What was measured. */
export interface Measurement {
  ops: number;
  elapsedMs: number;
  /** In nanoseconds. */
  latencies: RecordableHistogram;
}

/**
 * Runs operations, and notes how long each took. With a rate, that is counted from when it was due,
 * so that those which a slow one holds up are slow too; without, from when it was sent.
 */
export async function measure(
  operation: BenchOperation,
  { clients, opsMax, durationMs, rate, onTurn }: LoadOptions,
  clock: Clock = systemClock,
): Promise<Measurement> {
  const latencies = createHistogram(HISTOGRAM);
  const begin = clock.monotonic();
  const end = begin + durationMs;
  let next = 0;
  let ops = 0;
  let lastTurn = begin;
  let lastEnd = begin;
  let isStopped = false;

  const client = async () => {
    let sent = clock.monotonic();
    while (sent < end && !isStopped) {
      const index = next++;
      if (index >= opsMax) return;
      if (rate !== undefined) {
        const due = begin + index * 1000 / rate;
        if (due >= end) return;
        await until(due, clock);
        sent = due;
      }
      await operation(index);
      const answered = clock.monotonic();
      latencies.record(nanosOf(answered - sent));
      ops++;
      lastEnd = answered;
      // The end of one is the beginning of the next: the time is asked for once for each.
      sent = answered;
      if (answered - lastTurn < TURN_EVERY_MS) continue;
      lastTurn = answered;
      onTurn(ops, answered - begin);
      await new Promise<void>((resolve) => clock.defer(resolve));
      sent = clock.monotonic();
    }
  };
  const stop = (error: unknown): never => {
    isStopped = true;
    throw error;
  };
  // All have to come to an end, whatever becomes of one: what they do is cleared up behind them.
  const outcomes = await Promise.allSettled(
    Array.from({ length: Math.min(clients, opsMax) }, () => client().catch(stop)),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  return { ops, elapsedMs: lastEnd - begin, latencies };
}

function nanosOf(millis: number): number {
  const nanos = Math.round(millis * NANOS_PER_MILLI);
  return nanos < HISTOGRAM.lowest
    ? HISTOGRAM.lowest
    : nanos > HISTOGRAM.highest
    ? HISTOGRAM.highest
    : nanos;
}

async function until(due: number, clock: Clock): Promise<void> {
  for (let now = clock.monotonic(); now < due; now = clock.monotonic()) {
    const waitMs = due - now - TIMER_SLACK_MS;
    await new Promise<void>((resolve) =>
      waitMs > 0 ? void clock.schedule(waitMs, resolve) : clock.defer(resolve)
    );
  }
}
