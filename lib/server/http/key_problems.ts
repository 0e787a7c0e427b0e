/** Refusals that the requests for a key have in common. */

import { HttpError } from "./problem.ts";

const SHOWN_CHARACTERS_MAX = 200;

/** There is no such key. */
export function keyMissing(key: string): HttpError {
  const shown = JSON.stringify(key.slice(0, SHOWN_CHARACTERS_MAX));
  return new HttpError("NotFound", `There is no key ${shown}`);
}

/** A precondition does not hold, which is in the header `field`; `detail` may say more of it. */
export function conditionFailed(
  field = "If-Match",
  detail = "The key is not in the state that was asked for",
): HttpError {
  return new HttpError("ConditionFailed", detail, {}, { field });
}
