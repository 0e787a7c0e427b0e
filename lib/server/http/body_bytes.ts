/** How long bodies are, found out without slowing down those whose length is known. */

const BODYLESS_METHODS = ["GET", "HEAD", "OPTIONS"];
const BODYLESS_STATUSES = [204, 205, 304];
/** What is sent piece by piece; everything else is in memory as a whole. */
export const STREAMED: RegExp =
  /^(?:text\/event-stream|application\/(?:x-)?ndjson|application\/x-tar)\b/;

/** Lengths of bodies that came without one, as those who read them have noted. */
const counted = new WeakMap<Request, number>();

/** Notes how long the body of a request was that did not say so beforehand. */
export function noteBodyBytes(request: Request, byteLength: number): void {
  counted.set(request, byteLength);
}

/** The response made last whose length is known. */
let noted: Response | undefined;
let notedBytes = 0;

/** Notes how long the body of a response is that is about to be counted: of the last one only. */
export function noteResponseBytes(response: Response, byteLength: number): void {
  noted = response;
  notedBytes = byteLength;
}

/** Length of a request's body, as far as it was read or announced. */
export function requestBytes(request: Request): number {
  if (BODYLESS_METHODS.includes(request.method)) return 0;
  const declared = request.headers.get("content-length");
  return declared === null ? counted.get(request) ?? 0 : parseLength(declared);
}

/**
 * Counts the bytes of a response's body: `count` is called once, or for each piece of a stream. The
 * response returned is the one to send.
 */
export function countResponse(
  method: string,
  response: Response,
  count: (byteLength: number) => void,
): Response | Promise<Response> {
  if (response === noted && method !== "HEAD") {
    noted = undefined;
    count(notedBytes);
    return response;
  }
  if (BODYLESS_STATUSES.includes(response.status)) return response;
  const { headers } = response;
  const declared = headers.get("content-length");
  if (declared !== null) {
    if (method !== "HEAD") count(parseLength(declared));
    return response;
  }
  // Looking at the body itself would make a slow stream of it.
  const type = headers.get("content-type");
  if (type === null || method === "HEAD") return response;
  return STREAMED.test(type) ? countStream(response, count) : measure(response, count);
}

async function measure(
  response: Response,
  count: (byteLength: number) => void,
): Promise<Response> {
  const { status, statusText, headers } = response;
  const bytes = await response.arrayBuffer();
  count(bytes.byteLength);
  headers.set("content-length", String(bytes.byteLength));
  return new Response(bytes, { status, statusText, headers });
}

/**
 * The answer to HEAD where this is the one to GET: its headers say as much of the body that is not
 * sent. A stream is ended before it has begun.
 */
export async function withoutBody(response: Response): Promise<Response> {
  const { status, statusText, headers, body } = response;
  if (STREAMED.test(headers.get("content-type") ?? "")) {
    await body?.cancel();
    // Else servers say that there is nothing.
    headers.set("transfer-encoding", "chunked");
  } else if (headers.has("content-length")) {
    await body?.cancel();
  } else {
    headers.set("content-length", String((await response.arrayBuffer()).byteLength));
  }
  return new Response(null, { status, statusText, headers });
}

function countStream(response: Response, count: (byteLength: number) => void): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      count(value.byteLength);
      controller.enqueue(value);
    },
    // A client that goes away must still reach whoever makes the stream.
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return new Response(stream, { status, statusText, headers });
}

function parseLength(declared: string): number {
  const length = Number(declared);
  return Number.isSafeInteger(length) && length >= 0 ? length : 0;
}
