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

  // With a length, the server takes no more than that from the connection: one step, and quicker.
  if (length === undefined) return await readUnmeasured(request.body, bytesMax, tooLarge);
  const bytes = new Uint8Array(await request.arrayBuffer().catch(endedEarly));
  // Half a value must never be stored as if it were whole.
  if (bytes.length !== length) {
    throw new HttpError(
      "BadRequest",
      `The body has ${bytes.length} bytes, Content-Length says ${length}`,
    );
  }
  return bytes;
}

async function readUnmeasured(
  body: ReadableStream<Uint8Array>,
  bytesMax: number,
  tooLarge: (bytesMax: number) => HttpError,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = body.getReader();
  while (true) {
    const { done, value } = await reader.read().catch(endedEarly);
    if (done) break;
    total += value.length;
    if (total > bytesMax) {
      await reader.cancel().catch(() => {});
      throw tooLarge(bytesMax);
    }
    chunks.push(value);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : joined(chunks, total);
}

function endedEarly(): never {
  throw new HttpError("BadRequest", "The body ended before all of it had arrived");
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
