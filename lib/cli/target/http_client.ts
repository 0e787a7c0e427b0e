/** Requests to a server, with errors that say what to do: those of the network, and its own. */

import { CliError, ConnectionError } from "../cli_error.ts";
import { errorOfProblem, notCairn } from "./http_problem.ts";
import { linesOf } from "./ndjson_stream.ts";

/** A request. */
export interface HttpRequest {
  method?: "GET" | "PUT" | "POST" | "DELETE";
  /** Behind the server's address, as in `/v1/stats`. */
  path: string;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  signal?: AbortSignal;
  /** The type that the answer must have, or it is not Cairn's. */
  type?: string;
}

/** How to reach a server. */
export interface HttpAccess {
  url: URL;
  token: string | undefined;
  /** Certificates in PEM form, instead of those of the system. */
  ca: string | undefined;
}

/** What Bun's `fetch` takes beside what all take. */
type BunRequestInit = RequestInit & { timeout?: boolean; tls?: { ca: string } };

/** One server. */
export class HttpClient {
  /** The address of the server, without a slash at its end. */
  readonly address: string;
  readonly #access: HttpAccess;

  /** Connects to nothing yet. */
  constructor(access: HttpAccess) {
    this.#access = access;
    this.address = access.url.href.replace(/\/+$/, "");
  }

  /** Sends a request. Returns whatever the status says was done, and throws for the rest. */
  async send(request: HttpRequest): Promise<Response> {
    const { method = "GET", path, query = {}, headers = {}, body, signal, type } = request;
    const { token, ca } = this.#access;
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(name, String(value));
    }
    const search = parameters.size === 0 ? "" : `?${parameters}`;
    const init: BunRequestInit = {
      method,
      headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      // A token is for the server that it was given for.
      redirect: "manual",
      // Compacting a large store may take longer than Bun would wait for an answer.
      timeout: false,
      ...(body !== undefined && { body: body as BodyInit }),
      ...(signal !== undefined && { signal }),
      ...(ca !== undefined && { tls: { ca } }),
    };
    let response: Response;
    try {
      response = await fetch(`${this.address}${path}${search}`, init);
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (!response.ok) throw await errorOfProblem(this.address, response, token !== undefined);
    if (type !== undefined && !response.headers.get("content-type")?.startsWith(type)) {
      throw await this.notCairn(response);
    }
    return response;
  }

  /** The error for an answer that cannot be Cairn's, which is let go. */
  async notCairn(response: Response): Promise<CliError> {
    await response.body?.cancel().catch(() => {});
    return notCairn(this.address, response.status);
  }

  /** The whole body of an answer. */
  async bytes(response: Response): Promise<Uint8Array> {
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw this.#broken(error, "the value");
    }
  }

  /** As {@link send}, for an object of JSON that has a field of this name. */
  async json<T extends object>(request: HttpRequest, field: keyof T & string): Promise<T> {
    const response = await this.send({ ...request, type: "application/json" });
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw this.#broken(error, "the answer");
    }
    return this.#parse<T>(text, field, response.status);
  }

  /** As {@link send}, for lines of JSON objects that have a field of this name, as they come. */
  async *lines<T extends object>(
    request: HttpRequest,
    field: keyof T & string,
    what: string,
  ): AsyncGenerator<T, void> {
    const type = "application/x-ndjson";
    const headers = { ...request.headers, accept: type };
    const response = await this.send({ ...request, headers, type });
    for await (const line of this.read(linesOf(response.body ?? emptyBody()), what)) {
      yield this.#parse<T>(line, field, response.status);
    }
  }

  /** Hands on what comes of an answer; that it breaks off gets an error that says so. */
  async *read<T>(pieces: AsyncIterable<T>, what: string): AsyncGenerator<T, void> {
    const iterator = pieces[Symbol.asyncIterator]();
    let isOver = false;
    try {
      while (true) {
        const next = await iterator.next().catch((error: unknown) => {
          isOver = true;
          throw error instanceof CliError ? error : this.#broken(error, what);
        });
        if (next.done) {
          isOver = true;
          return;
        }
        yield next.value;
      }
    } finally {
      // Whoever stops early wants no more of it: an answer that nobody reads holds its connection.
      if (!isOver) await iterator.return?.().catch(() => {});
    }
  }

  /** The body of an answer, in pieces. */
  body(response: Response, what: string): AsyncGenerator<Uint8Array, void> {
    return this.read(response.body ?? emptyBody(), what);
  }

  #parse<T extends object>(text: string, field: keyof T & string, status: number): T {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Said below.
    }
    if (typeof parsed !== "object" || parsed === null || !Object.hasOwn(parsed, field)) {
      throw notCairn(this.address, status);
    }
    return parsed as T;
  }

  #broken(cause: unknown, what: string): ConnectionError {
    return new ConnectionError(
      `the connection to ${this.address} broke in the middle of ${what}: try again, and if that ` +
        "fails too, see what the server logs",
      { cause },
    );
  }

  #unreachable(cause: unknown): ConnectionError {
    const { why, advice } = reasonOf(cause, this.#access.url);
    return new ConnectionError(`cannot reach ${this.address}: ${why}; ${advice}`, { cause });
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array, void> {}

/** Errors of `fetch` have other codes and texts in each runtime. */
function reasonOf(error: unknown, url: URL): { why: string; advice: string } {
  const texts: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    texts.push(`${(each as { code?: string }).code ?? ""} ${each.message}`);
  }
  const text = texts.join(" ");
  const check = "check --url or CAIRN_URL";
  if (/certificate|CERT|UNABLE_TO_|SELF_SIGNED|UnknownIssuer/i.test(text)) {
    return {
      why: `its certificate is not trusted (${texts[0]?.trim()})`,
      advice: "name the certificate that it is signed by with --tls-ca",
    };
  }
  if (/REFUSED|ConnectionRefused|Unable to connect/i.test(text)) {
    return {
      why: "nothing listens there",
      advice: `start the server with 'cairn serve', or ${check}`,
    };
  }
  if (/ENOTFOUND|EAI_|dns|FailedToOpenSocket|lookup/i.test(text)) {
    return { why: `the name ${url.hostname} is not known`, advice: check };
  }
  if (/RESET|closed|EPIPE|socket|tls|ssl|InvalidHTTPResponse|Malformed/i.test(text)) {
    const other = url.protocol === "https:" ? "http" : "https";
    return {
      why: "the connection was closed without an answer",
      advice: `see what the server logs, or whether it wants ${other}:// instead`,
    };
  }
  return { why: texts[0]?.trim() ?? String(error), advice: check };
}
