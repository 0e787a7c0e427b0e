/** What the tests of the HTTP application have in common. */

import assert from "node:assert/strict";
import { KvStore, type OpenOptions } from "../../lib/mod.ts";
import { type AppOptions, createApp } from "../../lib/server/http/mod.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** A service with a store of its own, and short ways to ask it. */
export class Service implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  store!: KvStore;
  #app!: ReturnType<typeof createApp>;

  static async start(options: AppOptions = {}, storeOptions: OpenOptions = {}): Promise<Service> {
    const service = new Service();
    service.store = await KvStore.open(service.#directory.path, storeOptions);
    service.#app = createApp(service.store, options);
    return service;
  }

  async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    return await this.#app.request(`http://localhost:8620${path}`, { method, ...init });
  }

  async postBatch(body: unknown, headers: HeadersInit = {}): Promise<Response> {
    return await this.ask("POST", "/v1/batch", {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  }

  async put(key: string, body: BodyInit, headers: HeadersInit = {}): Promise<Response> {
    return await this.ask("PUT", `/v1/kv/${key}`, { body, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    this.#directory[Symbol.dispose]();
  }
}

/** Expects a problem document with this status, code and field; returns its detail. */
export async function assertProblem(
  response: Response,
  status: number,
  code: string,
  field?: string,
): Promise<string> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = await response.json();
  assert.deepEqual([response.status, problem.status, problem.code], [status, status, code]);
  if (field !== undefined) assert.equal(problem.field, field, problem.detail);
  assert.equal(problem.type, "about:blank");
  assert(problem.title.length > 0 && problem.detail.length > 0);
  return problem.detail;
}
