/** What the process says when it ends, and which error leads to which. */

import type { KvErrorCode } from "../errors.ts";

/** Exit codes that scripts can rely on. */
export const EXIT_CODE = {
  ok: 0,
  /** A key does not exist, or a condition did not hold. */
  notFound: 1,
  usage: 2,
  connection: 3,
  corruption: 4,
  locked: 5,
  io: 6,
  /** A defect in Cairn itself (EX_SOFTWARE of sysexits.h). */
  internal: 70,
  /** Ended by a signal: 128 and its number, as shells have it. */
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

/** One of {@link EXIT_CODE}. */
export type ExitCode = typeof EXIT_CODE[keyof typeof EXIT_CODE];

const EXIT_CODE_BY_ERROR: Record<KvErrorCode, ExitCode> = {
  NotFound: EXIT_CODE.notFound,
  ConditionFailed: EXIT_CODE.notFound,
  Compacted: EXIT_CODE.notFound,
  InvalidKey: EXIT_CODE.usage,
  ValueTooLarge: EXIT_CODE.usage,
  InvalidArgument: EXIT_CODE.usage,
  CorruptLog: EXIT_CODE.corruption,
  Locked: EXIT_CODE.locked,
  Io: EXIT_CODE.io,
  NoSpace: EXIT_CODE.io,
  ReadOnly: EXIT_CODE.io,
  Closed: EXIT_CODE.io,
  Unsupported: EXIT_CODE.io,
};

/** The exit code for an error of the engine. */
export function exitCodeOf(code: KvErrorCode): ExitCode {
  return EXIT_CODE_BY_ERROR[code];
}

/** Whether a text that came from elsewhere is the code of an error of the engine. */
export function isKvErrorCode(code: string): code is KvErrorCode {
  return Object.hasOwn(EXIT_CODE_BY_ERROR, code);
}
