/**
 * The headers of answers about a key. They are filled in anew for each and copied by its Response as a
 * whole, which is quicker than to give them to it one by one. Each is good until the next call.
 */

import { entityTag } from "./preconditions.ts";

/** The first four stay as they are. */
const ofValue = new Headers({
  // Whatever is stored, no browser shall take it for a page or a script of this origin.
  "content-type": "application/octet-stream",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache",
  "accept-ranges": "bytes",
});
const ofWrite = new Headers();
/** What {@link ofValue} tells at the moment. */
let lengthTold: number | undefined;
let expiryTold = 0;
/** The last second that a date in a header can name. */
const HTTP_DATE_MAX = Date.UTC(9999, 11, 31, 23, 59, 59);

/**
 * The headers that tell a key's state, and how long the body is so that nobody has to look at it to
 * know. `expiresAt` is 0 if it does not expire.
 */
export function valueHeaders(version: number, expiresAt: number, byteLength?: number): Headers {
  ofValue.set("etag", entityTag(version));
  if (byteLength !== lengthTold) {
    lengthTold = byteLength;
    if (byteLength === undefined) ofValue.delete("content-length");
    else ofValue.set("content-length", String(byteLength));
  }
  if (expiresAt !== expiryTold) {
    expiryTold = expiresAt;
    if (expiresAt === 0) {
      ofValue.delete("expires");
      ofValue.delete("cairn-expires-at");
    } else {
      // A date has whole seconds, and this one leaves out the rest: no cache keeps it too long.
      ofValue.set("expires", new Date(Math.min(expiresAt, HTTP_DATE_MAX)).toUTCString());
      ofValue.set("cairn-expires-at", String(expiresAt));
    }
  }
  return ofValue;
}

/** The answer to a PUT that was done. */
export function writtenResponse(version: number, created: boolean): Response {
  ofWrite.set("etag", entityTag(version));
  return new Response(null, { status: created ? 201 : 204, headers: ofWrite });
}
