import { HttpError } from "./problem.ts";

/** For answers before all of the body was read: the connection is of no further use. */
export const CLOSE: Record<string, string> = { connection: "close" };

/**
 * Reads a request's body, and stops as soon as it is known to be longer than `bytesMax`: then it
 * throws what `tooLarge` makes.
 */
export async function readBody(
  request: Request,
  bytesMax: number,
  tooLarge: (bytesMax: number) => HttpError = valueTooLarge,
): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  const length = declared === null ? undefined : Number(declared);
  if (length !== undefined && length > bytesMax) throw tooLarge(bytesMax);
  if (request.body === null) return new Uint8Array(0);

  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = request.body.getReader();
  while (true) {
    const { done, value } = await reader.read().catch(() => {
      throw new HttpError("BadRequest", "The body ended before all of it had arrived");
    });
    if (done) break;
    total += value.length;
    if (total > bytesMax) {
      await reader.cancel().catch(() => {});
      throw tooLarge(bytesMax);
    }
    chunks.push(value);
  }
  // Half a value must never be stored as if it were whole.
  if (length !== undefined && total !== length) {
    throw new HttpError("BadRequest", `The body has ${total} bytes, Content-Length says ${length}`);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : joined(chunks, total);
}

function valueTooLarge(bytesMax: number): HttpError {
  return new HttpError("ValueTooLarge", `A value may have at most ${bytesMax} bytes`, CLOSE);
}

function joined(chunks: Uint8Array[], total: number): Uint8Array {
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
