/** Log entries on standard error: one line each, for people or for programs. */

import { configureSync, type LogRecord, type Sink } from "@logtape/logtape";
import { isatty } from "node:tty";
import { systemClock } from "../clock.ts";
import { openLogOutput } from "./log_output.ts";
import { colourEnabled, escapeControls, escapeControlsInJson } from "./terminal_text.ts";

/** What `--log-level` accepts. */
export const LOG_LEVELS = ["debug", "info", "warning", "error", "silent"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** What `--log-format` accepts. */
export const LOG_FORMATS = ["pretty", "json"] as const;
/** One of {@link LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

const STDERR = 2;
/** Longer texts are cut: an error may quote something that somebody sent. */
const TEXT_LENGTH_MAX = 2000;
const COLOUR_BY_LEVEL: Record<string, string> = {
  debug: "\x1b[90m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
  fatal: "\x1b[31m",
};

/**
 * Sends log entries of `level` and above to standard error; without a format, for people if it is a
 * terminal, and otherwise for programs.
 */
export function configureLogging(level: LogLevel, format: LogFormat | undefined): void {
  if (level === "silent") return;
  const colour = colourEnabled(STDERR);
  const json = (format ?? (isatty(STDERR) ? "pretty" : "json")) === "json";
  const lineOf = (record: LogRecord) => json ? jsonLine(record) : prettyLine(record, colour);
  const output = openLogOutput((dropped) => lineOf(droppedRecord(dropped)));
  const stderr: Sink = (record) => output.writeLine(lineOf(record));
  configureSync({
    reset: true,
    sinks: { stderr },
    loggers: [
      { category: ["cairn"], lowestLevel: level, sinks: ["stderr"] },
      // LogTape's own notices about its configuration are not for our users.
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: ["stderr"] },
    ],
  });
}

/** Hands log entries of `level` and above to `write`, on a thread that has no output of its own. */
export function configureThreadLogging(level: LogLevel, write: Sink): void {
  if (level === "silent") return;
  configureSync({
    reset: true,
    sinks: { write },
    loggers: [
      { category: ["cairn"], lowestLevel: level, sinks: ["write"] },
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: ["write"] },
    ],
  });
}

/** One JSON object with the entry's own properties beside `time`, `level`, `logger`, `message`. */
export function jsonLine(record: LogRecord): string {
  const properties = Object.fromEntries(
    Object.entries(record.properties).map(([name, value]) => [name, plain(value)]),
  );
  return escapeControlsInJson(JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    logger: record.category.join("."),
    message: messageOf(record),
    ...properties,
  }));
}

/** `2026-01-31T12:00:00.000Z info cairn: message name=value`, without what the message says already. */
export function prettyLine(record: LogRecord, colour: boolean): string {
  const level = colour
    ? `${COLOUR_BY_LEVEL[record.level] ?? ""}${record.level}\x1b[0m`
    : record.level;
  const template = String(record.rawMessage);
  const properties = Object.entries(record.properties)
    .filter(([name]) => !template.includes(`{${name}}`))
    .map(([name, value]) => ` ${name}=${shown(plain(value))}`).join("");
  const time = new Date(record.timestamp).toISOString();
  const text = escapeControls(`${record.category.join(".")}: ${messageOf(record)}${properties}`);
  return `${time} ${level} ${text}`;
}

function messageOf(record: LogRecord): string {
  return record.message.map((part) => typeof part === "string" ? part : shown(plain(part))).join(
    "",
  );
}

function droppedRecord(dropped: number): LogRecord {
  const message = "{dropped} log entries were dropped: standard error was not read fast enough";
  return {
    category: ["cairn"],
    level: "warning",
    message: message.split(/\{dropped\}/).flatMap((part, index) =>
      index > 0 ? [dropped, part] : part
    ),
    rawMessage: message,
    timestamp: systemClock.now(),
    properties: { dropped },
  };
}

/** JSON knows neither errors nor bigints. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return plain(value.message);
  if (typeof value === "string" && value.length > TEXT_LENGTH_MAX) {
    return `${value.slice(0, TEXT_LENGTH_MAX)}...`;
  }
  return typeof value === "bigint" ? String(value) : value;
}

function shown(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toFixed(3)));
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
