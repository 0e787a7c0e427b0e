import { systemClock } from "../../clock.ts";
import { type Arrival, BodyMemory, SMALL_BODY_BYTES } from "./body_memory.ts";
import { noteBodyBytes } from "./body_bytes.ts";
import { HttpError, type ProblemDetails } from "./problem.ts";

/** For answers before all of the body was read: the connection is of no further use. */
export const CLOSE: Record<string, string> = { connection: "close" };

/** For refusals of the body as a whole. */
export const BY_BODY: ProblemDetails = { field: "body" };

/** Throws unless the body is sent as it is: what was compressed would be stored as such. */
export function refuseEncodedBody({ headers }: Request): void {
  const encoding = headers.get("content-encoding");
  if (encoding === null || encoding.trim().toLowerCase() === "identity") return;
  throw new HttpError(
    "UnsupportedMediaType",
    `Content-Encoding is ${JSON.stringify(encoding.slice(0, 60))}: send the body as it is`,
    { "accept-encoding": "identity", ...CLOSE },
    { field: "Content-Encoding" },
  );
}

/** Memory belongs to the process, so all its services share one account. */
export const processBodies = new BodyMemory();

/**
 * Reads a request's body, and stops as soon as it is known to be longer than `bytesMax`, when it
 * throws what `tooLarge` makes, to need more memory than bodies may have, or to come too slowly. The
 * memory counts as used until {@link releaseBody}.
 */
export function readBody(
  request: Request,
  bytesMax: number,
  tooLarge: (bytesMax: number) => HttpError = valueTooLarge,
  bodies: BodyMemory = processBodies,
): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  const length = declared === null ? undefined : Number(declared);
  return length !== undefined && length <= SMALL_BODY_BYTES && length <= bytesMax
    ? readSmall(request, length, bodies)
    : readOther(request, length, bytesMax, tooLarge, bodies);
}

/** Gives back the memory of a request's body, once nothing more is done with it. */
export function releaseBody(request: Request, bodies: BodyMemory = processBodies): void {
  bodies.release(request);
}

function readSmall(request: Request, length: number, bodies: BodyMemory): Promise<Uint8Array> {
  return new Promise((resolve, reject) => receiveSmall(request, length, resolve, reject, bodies));
}

/**
 * What most requests have comes in one piece with the headers, and is had as such: `length` bytes, at
 * most {@link SMALL_BODY_BYTES}. Calls either `receive` or `refuse`: what has come too late for an
 * answer must not be stored.
 */
export function receiveSmall(
  request: Request,
  length: number,
  receive: (bytes: Uint8Array) => void,
  refuse: (error: HttpError) => void,
  bodies: BodyMemory = processBodies,
): void {
  let isLate = false;
  const arrival: Arrival = {
    received: 0,
    expire(error) {
      isLate = true;
      refuse(error);
    },
  };
  bodies.watch(arrival);
  request.arrayBuffer().then((buffer) => {
    if (isLate) return;
    bodies.arrived(arrival);
    if (buffer.byteLength === length) receive(new Uint8Array(buffer));
    else refuse(incomplete(buffer.byteLength, length));
  }, () => {
    if (isLate) return;
    bodies.arrived(arrival);
    refuse(broken());
  });
}

/** A long body, or one whose length is not known, or none. */
async function readOther(
  request: Request,
  length: number | undefined,
  bytesMax: number,
  tooLarge: (bytesMax: number) => HttpError,
  bodies: BodyMemory,
): Promise<Uint8Array> {
  if (length !== undefined && length > bytesMax) throw tooLarge(bytesMax);
  // Not where the length is no number, which is found out below.
  if (length !== undefined && length > SMALL_BODY_BYTES) bodies.reserve(request, length);
  if (request.body === null) return new Uint8Array(0);
  const isWhole = length === undefined ? watchEnd(request) : undefined;
  const bytes = await readLong(request, bytesMax, length, tooLarge, bodies);
  if (isWhole !== undefined) {
    if (!await isWhole()) throw broken();
    noteBodyBytes(request, bytes.length);
  } else if (bytes.length !== length) throw incomplete(bytes.length, length!);
  return bytes;
}

/**
 * For a body in chunks: to be called before it is read, and what is returned when it has been. Bun
 * says that the last chunk has come before it looks at what ends the body, such as trailers, which it
 * does not take: then it answers 400 by itself and aborts the request, all in the same turn of the
 * event loop. So much later it is known whether the body was one.
 */
export function watchEnd({ signal }: Request): () => Promise<boolean> {
  return async () => {
    await new Promise<void>((resolve) => systemClock.defer(resolve));
    return !signal.aborted;
  };
}

async function readLong(
  request: Request,
  bytesMax: number,
  length: number | undefined,
  tooLarge: (bytesMax: number) => HttpError,
  bodies: BodyMemory,
): Promise<Uint8Array> {
  const reader = request.body!.getReader();
  let late: HttpError | undefined;
  let interrupt = (_error: HttpError) => {};
  const arrival: Arrival = {
    received: 0,
    expire(error) {
      late = error;
      interrupt(error);
    },
  };
  const sink = length === undefined ? new Gathered() : new Filled(length);
  bodies.watch(arrival);
  try {
    while (true) {
      const { done, value } = await new Promise<ReadableStreamReadResult<Uint8Array>>(
        (resolve, reject) => {
          interrupt = reject;
          if (late !== undefined) return reject(late);
          reader.read().then(resolve, () => reject(broken()));
        },
      );
      if (done) return sink.bytes();
      arrival.received += value.length;
      if (arrival.received > bytesMax) throw tooLarge(bytesMax);
      if (length === undefined) bodies.reserve(request, value.length);
      sink.add(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    bodies.arrived(arrival);
  }
}

/** A body of unknown length. */
class Gathered {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}

/** A body of known length, which needs its memory only once. */
class Filled {
  readonly #all: Uint8Array;
  #length = 0;

  constructor(length: number) {
    this.#all = new Uint8Array(length);
  }

  add(chunk: Uint8Array): void {
    if (this.#length + chunk.length > this.#all.length) {
      throw badBody("The body is longer than Content-Length says");
    }
    this.#all.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  bytes(): Uint8Array {
    return this.#all.subarray(0, this.#length);
  }
}

/** Half a value must never be stored as if it were whole. */
function incomplete(byteLength: number, declared: number): HttpError {
  return badBody(`The body has ${byteLength} bytes, Content-Length says ${declared}`);
}

function broken(): HttpError {
  return badBody("The body ended before all of it had arrived");
}

/** A refusal of the body as a whole. */
export function badBody(detail: string): HttpError {
  return new HttpError("BadRequest", detail, {}, BY_BODY);
}

function valueTooLarge(bytesMax: number): HttpError {
  const detail = `A value may have at most ${bytesMax} bytes`;
  return new HttpError("ValueTooLarge", detail, CLOSE, BY_BODY);
}
