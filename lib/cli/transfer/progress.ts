/** How far a long command is, for a person who looks on: one line on standard error, drawn anew. */

import process from "node:process";
import { isatty } from "node:tty";
import { type Clock, systemClock } from "../../clock.ts";
import { writeFully } from "../descriptor.ts";
import { formatBytes, formatCount } from "../text_format.ts";

const STDERR = 2;
const DRAW_EVERY_MS = 100;
const BAR_WIDTH = 24;
/** Before, the rate says little. */
const REMAINING_AFTER_MS = 500;

/** What is counted. */
export type ProgressUnit = "records" | "bytes" | "ops";

/** A bar with rate and remaining time; nothing where nobody looks. */
export class Progress {
  readonly #name: string;
  readonly #unit: ProgressUnit;
  readonly #clock: Clock;
  readonly #shown: boolean;
  readonly #begin: number;
  #drawnAt = -Infinity;
  #isDrawn = false;

  /** `name` is what is done. */
  constructor(
    name: string,
    unit: ProgressUnit = "records",
    clock: Clock = systemClock,
    shown: boolean = isLookedAt(),
  ) {
    this.#name = name;
    this.#unit = unit;
    this.#clock = clock;
    this.#shown = shown;
    this.#begin = clock.monotonic();
  }

  /**
   * For copies: shows how many bytes of how many are copied. Before there are any, and when there are
   * all, the source and the copy are checked. Undefined where nobody looks.
   */
  get copyObserver(): ((bytes: number, bytesTotal: number) => void) | undefined {
    if (!this.#shown) return undefined;
    return (bytes, bytesTotal) =>
      bytes === 0 || bytes >= bytesTotal
        ? this.#draw(() => `${this.#name}  checking`)
        : this.update(bytes / bytesTotal, bytes);
  }

  /** Time since it began, in milliseconds. */
  get elapsedMs(): number {
    return this.#clock.monotonic() - this.#begin;
  }

  /** `share` of the whole is done, if that is known, and with it so much of what is counted. */
  update(share: number | undefined, count: number): void {
    this.#draw((elapsedMs) => progressLine(this.#name, share, count, elapsedMs, this.#unit));
  }

  /** Wipes the bar. */
  clear(): void {
    if (this.#isDrawn) writeFully(STDERR, new TextEncoder().encode("\r\x1b[K"));
    this.#isDrawn = false;
  }

  #draw(lineOf: (elapsedMs: number) => string): void {
    if (!this.#shown) return;
    const now = this.#clock.monotonic();
    if (now - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now;
    this.#isDrawn = true;
    const line = lineOf(now - this.#begin);
    const width = process.stderr.columns || 80;
    writeFully(STDERR, new TextEncoder().encode(`\r\x1b[K${line.slice(0, width - 1)}`));
  }
}

/** `import [####----]  45%  1,234 records  310/s  1m 05s left` */
function progressLine(
  name: string,
  share: number | undefined,
  count: number,
  elapsedMs: number,
  unit: ProgressUnit = "records",
): string {
  const parts = [name];
  if (share !== undefined) {
    const done = Math.min(1, share);
    const filled = Math.round(done * BAR_WIDTH);
    parts.push(
      `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${
        String(Math.floor(done * 100)).padStart(3)
      }%`,
    );
  }
  const rate = rateOf(count, elapsedMs);
  if (unit === "bytes") parts.push(formatBytes(count), `${formatBytes(rate)}/s`);
  else parts.push(`${formatCount(count)} ${unit}`, `${formatCount(rate)}/s`);
  if (share !== undefined && share > 0 && share <= 1 && elapsedMs > REMAINING_AFTER_MS) {
    parts.push(`${formatSeconds(elapsedMs * (1 - share) / share / 1000)} left`);
  }
  return parts.join("  ");
}

/** A second, whole. */
export function rateOf(records: number, elapsedMs: number): number {
  return Math.round(records / Math.max(0.001, elapsedMs / 1000));
}

/** `5s`, `1m 05s`, `2h 03m`. */
function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  const pad = (count: number) => String(count).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${pad(Math.floor(whole % 3600 / 60))}m`;
}

function isLookedAt(): boolean {
  return isatty(STDERR) && process.env["TERM"] !== "dumb";
}
