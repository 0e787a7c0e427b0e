/** What every error of the public interface must look like, whatever it is about. */

import assert from "node:assert/strict";
import { KvError, type KvErrorCode } from "../../lib/errors.ts";

/** Expects a call to throw, or its promise to reject with, a `KvError`; returns the error. */
export async function failsWith(
  code: KvErrorCode,
  message: RegExp,
  call: () => unknown,
): Promise<KvError> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  return checkKvError(thrown, code, message);
}

/** As {@link failsWith}, for a call that must throw before it returns. */
export function throwsAtOnce(code: KvErrorCode, message: RegExp, call: () => unknown): KvError {
  let thrown: unknown;
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch (error) {
    thrown = error;
  }
  return checkKvError(thrown, code, message);
}

/** An error is one line, says enough, and carries its code. */
function checkKvError(thrown: unknown, code: KvErrorCode, message: RegExp): KvError {
  assert(thrown !== undefined, `no error; expected ${code} ${message}`);
  assert(thrown instanceof KvError, `not a KvError: ${String(thrown)}`);
  assert.equal(thrown.code, code, thrown.message);
  assert.match(thrown.message, message);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(thrown.message, /[\u0000-\u001f\u007f]/, "the message is one line");
  assert.doesNotMatch(thrown.message, /\[object|undefined bytes|NaN bytes/);
  assert(thrown.message.length < 600, `${thrown.message.length} characters are no message`);
  return thrown;
}
