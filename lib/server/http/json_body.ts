/** Bodies of requests that are JSON. */

import { essenceOf } from "./media_type.ts";
import { HttpError } from "./problem.ts";
import { CLOSE, readBody } from "./request_body.ts";

const JSON_TYPE = "application/json";
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads and parses a body of at most `bytesMax`. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  // Demanded also because a web page cannot send it across origins without asking first.
  if (essenceOf(request.headers.get("content-type")) !== JSON_TYPE) {
    throw new HttpError(
      "UnsupportedMediaType",
      `The body must be JSON: send Content-Type: ${JSON_TYPE}`,
      { accept: JSON_TYPE },
      { field: "Content-Type" },
    );
  }
  const bytes = await readBody(request, bytesMax, bodyTooLarge);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new HttpError("BadRequest", "The body is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HttpError("BadRequest", `The body is not JSON: ${reason.slice(0, 200)}`);
  }
}

function bodyTooLarge(bytesMax: number): HttpError {
  return new HttpError("BodyTooLarge", `The body may have at most ${bytesMax} bytes`, CLOSE);
}
