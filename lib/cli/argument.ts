/** Parsers of single command-line arguments; each refusal says what would be accepted. */

import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";

const MILLIS_BY_UNIT: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A duration such as `500ms`, `90s`, `15m`, `2h` or `7d`, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  const millis = Number(match?.[1]) * (MILLIS_BY_UNIT[match?.[2] ?? ""] ?? NaN);
  if (!Number.isSafeInteger(millis) || millis === 0) {
    throw new InvalidArgumentError(
      "Give a positive duration with its unit: 500ms, 90s, 15m, 2h, 7d.",
    );
  }
  return millis;
}

/** A parser for whole numbers within bounds. */
export function integerBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      const range = most === Number.MAX_SAFE_INTEGER
        ? `of ${least} or more`
        : `from ${least} to ${most}`;
      throw new InvalidArgumentError(`Give a whole number ${range}.`);
    }
    return value;
  };
}

/** A text that must not be empty. */
export function parseNonEmpty(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}

/**
 * Refuses arguments that were not valid UTF-8. Runtimes replace invalid bytes by U+FFFD, after which
 * different keys would look the same; what was really given can be seen in /proc, where there is one.
 */
export function refuseInvalidUtf8(args: readonly string[]): void {
  if (!args.some((arg) => arg.includes("\ufffd"))) return;
  let raw: Uint8Array;
  try {
    raw = readFileSync("/proc/self/cmdline");
  } catch {
    return;
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    throw new CliError(
      EXIT_CODE.usage,
      "an argument is not valid UTF-8; keys must be, and a value of other bytes can be piped in",
    );
  }
}
