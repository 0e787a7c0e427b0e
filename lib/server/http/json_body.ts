/** Bodies of requests that are JSON. */

import { essenceOf } from "./media_type.ts";
import { HttpError, invalidArgument } from "./problem.ts";
import { findRepeatedName } from "./json_names.ts";
import { badBody, BY_BODY, CLOSE, readBody, refuseEncodedBody } from "./request_body.ts";

const JSON_TYPE = "application/json";
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a body of at most `bytesMax` and returns what `parse` makes of it. Only what that does not
 * refuse is looked through for names given twice: anything else may have millions.
 */
export async function readJson<Parsed>(
  request: Request,
  bytesMax: number,
  parse: (body: unknown) => Parsed,
): Promise<Parsed> {
  // Demanded also because a web page cannot send it across origins without asking first.
  if (essenceOf(request.headers.get("content-type")) !== JSON_TYPE) {
    throw new HttpError(
      "UnsupportedMediaType",
      `The body must be JSON: send Content-Type: ${JSON_TYPE}`,
      { accept: JSON_TYPE },
      { field: "Content-Type" },
    );
  }
  refuseEncodedBody(request);
  const bytes = await readBody(request, bytesMax, bodyTooLarge);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw badBody("The body is not UTF-8");
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw badBody(`The body is not JSON: ${reason.slice(0, 200)}`);
  }
  const parsed = parse(body);
  const repeated = findRepeatedName(text);
  if (repeated === undefined) return parsed;
  throw invalidArgument(repeated, `${repeated} is given twice`);
}

function bodyTooLarge(bytesMax: number): HttpError {
  const detail = `The body may have at most ${bytesMax} bytes`;
  return new HttpError("BodyTooLarge", detail, CLOSE, BY_BODY);
}
