/** Verdicts and figures as they are printed. */

import type { Measurement } from "./results.ts";
import { spreadOf } from "./statistics.ts";
import type { Verdict } from "./verdict.ts";

/** A figure with as many digits as matter: 12.3, 0.95, 1,234,567. */
export function showNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A large number in few letters: 1.3M, 475k, 5.2k. */
export function showRate(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (value >= 1e5) return `${Math.round(value / 1e3)}k`;
  return value >= 1e3 ? `${Number((value / 1e3).toFixed(1))}k` : value.toFixed(0);
}

/** What was measured, with its spread, as "12.3 x (11.8 to 13.0)". */
export function showMeasured({ row, measured, keys, isFullSize }: Verdict): string {
  const unit = row.kind === "ratio" ? "x" : row.unit;
  const { median, min, max } = measured;
  return `${showNumber(median)} ${unit} (${showNumber(min)} to ${showNumber(max)})` +
    (isFullSize ? "" : `, at only ${showRate(keys)} keys`);
}

/** What is wanted, as "at least 15 x". */
export function showWanted({ row, wanted }: Verdict): string {
  const unit = row.kind === "ratio" ? "x" : row.unit;
  const direction = row.kind === "ratio" ? "at least" : row.direction;
  return `${direction} ${Number(wanted.toPrecision(3)).toLocaleString("en")} ${unit}`;
}

/** The verdict in words. What is reached with fewer keys than the row is about proves nothing. */
export function showVerdict({ reached, share, isFullSize }: Verdict): string {
  if (reached && !isFullSize) return "not proven at this size";
  return reached ? "reached" : `falls short: ${showNumber(share)} of it`;
}

/** One line a verdict. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.map((verdict) =>
    `${verdict.runtime.padEnd(4)}  ${verdict.row.name.padEnd(22)} ` +
    `${showMeasured(verdict).padEnd(46)} ${showWanted(verdict).padEnd(26)} ${showVerdict(verdict)}`
  );
}

/** All figures of a measurement, medians with their spread, under a line that says which it is. */
export function measurementLines(measurement: Measurement): string[] {
  const { measure, runtime, keys, rounds, date, commit } = measurement;
  const lines = Object.entries(measurement.samples).flatMap(([subject, figures]) =>
    Object.entries(figures).map(([figure, values]) => {
      const { median, min, max } = spreadOf(values);
      return `  ${subject.padEnd(24)} ${figure.padEnd(30)} ${showNumber(median).padStart(14)}` +
        `  (${showNumber(min)} to ${showNumber(max)})`;
    })
  );
  const about = `${keys.toLocaleString("en")} keys, ${rounds} rounds, ${date}, commit ${commit}`;
  return [`${measure} under ${runtime}, ${about}`, ...lines, ""];
}
