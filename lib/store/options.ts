/** Validation of the options of `KvStore.open`, and their defaults. */

import * as v from "valibot";
import { systemClock } from "../clock.ts";
import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { defaultFileSystem } from "../fs/default.ts";
import type { FileSystem } from "../fs/file_system.ts";
import {
  KEY_BYTES_LIMIT,
  KEY_BYTES_MAX_DEFAULT,
  LSN_LIMIT,
  SEGMENT_BYTES_MAX_DEFAULT,
  SEGMENT_BYTES_MAX_LIMIT,
  SEGMENT_BYTES_MIN,
  VALUE_BYTES_LIMIT,
  VALUE_BYTES_MAX_DEFAULT,
} from "../limits.ts";
import { type RandomSource, systemRandom } from "../random.ts";
import { defaultLogger, type Logger } from "../telemetry/logger.ts";
import { guardObserver, type StoreObserver } from "../telemetry/store_observer.ts";
import type { Durability, OpenOptions } from "./types.ts";

const TOTAL_BYTES_DEFAULT = 256 << 20;
const DEAD_BYTES_MIN_DEFAULT = 1 << 20;
const CHECKPOINT_RECORDS_MIN_DEFAULT = 50_000;

/** Options with every default filled in. */
export interface ResolvedOptions {
  durability: Durability;
  segmentBytesMax: number;
  valueBytesMax: number;
  keyBytesMax: number;
  compaction: {
    auto: boolean;
    deadRatio: number;
    totalBytes: number;
    deadBytesMin: number;
    retainedVersions: number;
  };
  checkpointRecordsMin: number;
  readOnly: boolean;
  memoryMap: boolean;
  logger: Logger;
  observer: Required<StoreObserver> | undefined;
  fileSystem: FileSystem;
  clock: Clock;
  random: RandomSource;
}

function integer(min: number, max: number) {
  const message = `an integer from ${min} to ${max}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
}

const boolean = v.boolean("true or false");

function methods<Shape>(what: string, names: readonly string[]) {
  return v.custom<Shape>(
    (input) =>
      typeof input === "object" && input !== null &&
      names.every((name) => typeof (input as Record<string, unknown>)[name] === "function"),
    `${what} with the methods ${names.join(", ")}`,
  );
}

const OBSERVED = ["onSync", "onWriteFailure", "onCompaction"];

function isObserver(input: unknown): boolean {
  if (typeof input !== "object" || input === null) return false;
  const methods = OBSERVED.map((name) => (input as Record<string, unknown>)[name]);
  return methods.every((method) => method === undefined || typeof method === "function");
}

const RATIO = "a number above 0 and at most 1";
const OBJECT = "an object";

const compactionEntries = {
  auto: v.optional(boolean, true),
  deadRatio: v.optional(
    v.pipe(v.number(RATIO), v.gtValue(0, RATIO), v.maxValue(1, RATIO)),
    0.5,
  ),
  totalBytes: v.optional(integer(0, Number.MAX_SAFE_INTEGER), TOTAL_BYTES_DEFAULT),
  deadBytesMin: v.optional(integer(0, Number.MAX_SAFE_INTEGER), DEAD_BYTES_MIN_DEFAULT),
  retainedVersions: v.optional(integer(0, LSN_LIMIT), 0),
};

const schema = v.strictObject({
  durability: v.optional(
    v.union([
      v.literal("immediate"),
      v.strictObject({ bytes: integer(4096, 1 << 30), millis: integer(1, 3_600_000) }),
    ], '"immediate" or { bytes: 4096 to 1073741824, millis: 1 to 3600000 }'),
    "immediate",
  ),
  segmentBytesMax: v.optional(
    integer(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX_LIMIT),
    SEGMENT_BYTES_MAX_DEFAULT,
  ),
  valueBytesMax: v.optional(integer(1, VALUE_BYTES_LIMIT), VALUE_BYTES_MAX_DEFAULT),
  keyBytesMax: v.optional(integer(1, KEY_BYTES_LIMIT), KEY_BYTES_MAX_DEFAULT),
  compaction: v.optional(
    v.strictObject(compactionEntries, OBJECT),
    {},
  ),
  checkpointRecordsMin: v.optional(
    integer(0, Number.MAX_SAFE_INTEGER),
    CHECKPOINT_RECORDS_MIN_DEFAULT,
  ),
  readOnly: v.optional(boolean, false),
  memoryMap: v.optional(boolean, true),
  logger: v.optional(
    methods<Logger>("a logger", ["debug", "info", "warn", "error"]),
    defaultLogger,
  ),
  observer: v.optional(
    v.custom<StoreObserver>(isObserver, `an observer with any of ${OBSERVED.join(", ")}`),
  ),
  fileSystem: v.optional(
    methods<FileSystem>("a file system", [
      "makeDirectory",
      "readDirectory",
      "stat",
      "open",
      "rename",
      "unlink",
      "syncDirectory",
      "lock",
    ]),
    () => defaultFileSystem,
  ),
  clock: v.optional(
    methods<Clock>("a clock", ["now", "monotonic", "schedule", "defer"]),
    systemClock,
  ),
  random: v.optional(methods<RandomSource>("a random source", ["fill"]), systemRandom),
}, OBJECT);

/** Checks options and fills in the defaults. Throws `InvalidArgument` naming option, value, range. */
export function resolveOptions(options: OpenOptions): ResolvedOptions {
  const result = v.safeParse(schema, options, { abortEarly: true });
  if (result.success) {
    const { observer, ...resolved } = result.output;
    const guarded = observer === undefined ? undefined : guardObserver(observer, resolved.logger);
    return { ...resolved, observer: guarded };
  }
  const issue = result.issues[0];
  const name = v.getDotPath(issue) ?? "options";
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known = name.startsWith("compaction.") ? compactionEntries : schema.entries;
    throw new KvError(
      "InvalidArgument",
      `Option ${name} does not exist: the options are ${Object.keys(known).join(", ")}`,
    );
  }
  throw new KvError(
    "InvalidArgument",
    `Option ${name} is ${showValue(issue.input)}: it must be ${issue.message}`,
  );
}

/** Refuses options that are not an object. */
export function assertOptionsObject(options: unknown): asserts options is object {
  if (typeof options !== "object" || options === null) {
    throw new KvError("InvalidArgument", `Options are ${showValue(options)}: pass an object`);
  }
}

/** Refuses properties that an options argument does not have, since they are mostly misspelt. */
export function assertKnownOptions(options: object, known: readonly string[]): void {
  for (const name in options) {
    if (!known.includes(name)) {
      throw new KvError(
        "InvalidArgument",
        `Option ${name} does not exist here: the options are ${known.join(", ")}`,
      );
    }
  }
}

/** An argument as it can stand in a message. */
export function showValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 60 ? value.slice(0, 60) + "…" : value);
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}
