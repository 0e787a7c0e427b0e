/** A client of the load test: random requests, each noted with its answer. */

import assert from "node:assert/strict";
import type { SeededRandom } from "../support/seeded_random.ts";
import { type FedChange, type LoadCondition, type LoadRecord, RANGE_BYTES } from "./load_record.ts";

const SHARED_KEYS = ["s/a", "s/b", "s/c/d", "s/ü %&?#+", "s/\n", "s/😀"];
const OWN_KEYS = 4;

/** Asks a server, counts that, and hands out the answer with its body. */
export class LoadConnection {
  readonly url: string;
  readonly record: LoadRecord;

  constructor(url: string, record: LoadRecord) {
    this.url = url;
    this.record = record;
  }

  /** A request whose answer is still to be read. */
  async open(
    method: string,
    route: string,
    path: string,
    init: RequestInit = {},
  ): Promise<Response> {
    const response = await fetch(this.url + path, { method, ...init });
    this.record.count(method, route, response.status);
    return response;
  }

  /** A request and the text of its answer. */
  async ask(
    method: string,
    route: string,
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; headers: Headers; text: string }> {
    const response = await this.open(method, route, path, init);
    const bytes = await response.arrayBuffer();
    this.record.responseBytes += bytes.byteLength;
    const { status, headers } = response;
    return { status, headers, text: new TextDecoder().decode(bytes) };
  }
}

/** One client. It remembers the versions that it was told. */
export class LoadClient {
  readonly #id: number;
  readonly #connection: LoadConnection;
  readonly #record: LoadRecord;
  readonly #random: SeededRandom;
  readonly #versions = new Map<string, number | null>();
  #written = 0;
  #lastVersion = 0;

  constructor(id: number, connection: LoadConnection, random: SeededRandom) {
    this.#id = id;
    this.#connection = connection;
    this.#record = connection.record;
    this.#random = random;
  }

  /** Does one thing. */
  async act(): Promise<void> {
    const key = this.#key();
    const known = this.#versions.get(key) ?? null;
    const choice = this.#random.below(100);
    if (choice < 25) return await this.#put(key);
    if (choice < 35) return await this.#put(key, { version: null });
    if (choice < 48) return await this.#put(key, { version: known });
    if (choice < 57) return await this.#remove(key);
    if (choice < 62) {
      return await this.#remove(key, known === null ? undefined : { version: known });
    }
    if (choice < 80) return await this.#get(key, "GET");
    if (choice < 85) return await this.#get(key, "GET", { range: `bytes=0-${RANGE_BYTES - 1}` });
    if (choice < 90) return await this.#get(key, "HEAD");
    if (choice < 97) return await this.#batch();
    if (choice < 99) return await this.#list();
    const { status } = await this.#connection.ask("POST", "/v1/flush", "/v1/flush");
    assert.equal(status, 204);
  }

  #key(): string {
    const { below, pick, chance } = bound(this.#random);
    return chance(0.5) ? pick(SHARED_KEYS) : `c/${this.#id}/${below(OWN_KEYS)}`;
  }

  /** Text that says whose it is, and of which every byte follows from its beginning. */
  #value(key: string): string {
    const name = `${this.#id}.${++this.#written} of ${encodeURI(key)}. `;
    // Few are long, lest so much be overwritten that it is worth a compaction.
    const isLong = this.#id % 8 === 0 && this.#written % 50 === 0;
    const length = isLong ? 30_000 + this.#random.below(40_000) : 20 + this.#random.below(60);
    return name.repeat(Math.ceil(length / name.length)).slice(0, length);
  }

  async #put(key: string, condition?: LoadCondition): Promise<void> {
    const value = this.#value(key);
    const bytes = new TextEncoder().encode(value);
    const [call, low] = [this.#record.tick(), this.#record.versionMax];
    const isStream = this.#random.chance(0.1);
    this.#record.requestBytes += bytes.length;
    const answer = await this.#connection.ask("PUT", "/v1/kv/{key}", pathOf(key), {
      headers: headersOf(condition),
      body: isStream ? new Blob([bytes]).stream() : bytes,
    });
    const { status, text } = answer;
    if (status === 412) return this.#refused([{ key, ...condition! }], low);
    assert(status === 201 || status === 204, text);
    const version = versionOf(answer);
    this.#record.acknowledge(version, { op: "set", key, value, call, condition });
    this.#learn(key, version);
    this.#ascend(version);
  }

  async #remove(key: string, condition?: LoadCondition): Promise<void> {
    const low = this.#record.versionMax;
    const { status, text } = await this.#connection.ask("DELETE", "/v1/kv/{key}", pathOf(key), {
      headers: headersOf(condition),
    });
    if (status === 412) return this.#refused([{ key, ...condition! }], low);
    this.#versions.set(key, null);
    if (status === 404) {
      const end = this.#record.tick();
      return void this.#record.readings.push({ key, found: undefined, low, end });
    }
    assert.equal(status, 204, text);
    this.#record.deletes.push({ key, condition });
  }

  async #get(key: string, method: "GET" | "HEAD", headers: HeadersInit = {}): Promise<void> {
    const low = this.#record.versionMax;
    const route = "/v1/kv/{key}";
    const answer = await this.#connection.ask(method, route, pathOf(key), { headers });
    const { status, text } = answer;
    const end = this.#record.tick();
    this.#verifyOwn(key, status === 404 ? null : versionOf(answer));
    if (status === 404) {
      this.#versions.set(key, null);
      return void this.#record.readings.push({ key, found: undefined, low, end });
    }
    assert(status === 200 || status === 206, text);
    const version = versionOf(answer);
    this.#learn(key, version);
    const seen = method === "HEAD" ? {} : status === 206 ? { beginning: text } : { value: text };
    if (status === 200 && method === "GET") {
      assert.equal(
        Number(answer.headers.get("content-length")),
        new TextEncoder().encode(text).length,
      );
    }
    this.#record.readings.push({ key, found: { version, ...seen }, low, end });
  }

  async #batch(): Promise<void> {
    const { below, chance } = bound(this.#random);
    const keys = [...new Set(Array.from({ length: 1 + below(5) }, () => this.#key()))];
    const ops: Omit<FedChange, "version">[] = keys.map((key) =>
      chance(0.3) ? { op: "del", key } : { op: "set", key, value: this.#value(key) }
    );
    const checked = [...new Set(Array.from({ length: below(3) }, () => this.#key()))];
    const checks = checked.map((key) => ({ key, version: this.#versions.get(key) ?? null }));
    const body = JSON.stringify({ ops, checks });
    const [call, low] = [this.#record.tick(), this.#record.versionMax];
    this.#record.requestBytes += new TextEncoder().encode(body).length;
    const { status, text } = await this.#connection.ask("POST", "/v1/batch", "/v1/batch", {
      headers: { "content-type": "application/json" },
      body,
    });
    if (status === 409) return this.#refused(checks, low);
    assert.equal(status, 200, text);
    const { version } = JSON.parse(text);
    ops.forEach((op, index) => {
      const own = version - (ops.length - 1 - index);
      this.#record.acknowledge(own, { ...op, call });
      if (op.op === "set") this.#learn(op.key, own);
      else this.#versions.set(op.key, null);
    });
    this.#ascend(version);
  }

  /** Keys that nobody else writes must be exactly those that this client wrote. */
  async #list(): Promise<void> {
    const path = `/v1/kv?prefix=${encodeURIComponent(`c/${this.#id}/`)}&limit=1000`;
    const { status, text } = await this.#connection.ask("GET", "/v1/kv", path);
    assert.equal(status, 200);
    const own = [...this.#versions].filter(([key, version]) =>
      key.startsWith(`c/${this.#id}/`) && version !== null
    );
    const listed = JSON.parse(text).entries.map((
      { key, version }: FedChange,
    ) => [key, version]);
    assert.deepEqual(listed, own.sort(([a], [b]) => a < b ? -1 : 1));
  }

  #refused(conditions: ({ key: string } & LoadCondition)[], low: number): void {
    this.#record.refusals.push({ conditions, low });
    for (const { key } of conditions) {
      // What it knew of a key that others write too may be what was wrong.
      if (!key.startsWith(`c/${this.#id}/`)) this.#versions.delete(key);
    }
  }

  /** What nobody else writes is as this client left it. */
  #verifyOwn(key: string, version: number | null): void {
    if (!key.startsWith(`c/${this.#id}/`)) return;
    assert.equal(version, this.#versions.get(key) ?? null, key);
  }

  #learn(key: string, version: number): void {
    this.#versions.set(key, version);
  }

  #ascend(version: number): void {
    assert(version > this.#lastVersion, `${version} comes after ${this.#lastVersion}`);
    this.#lastVersion = version;
  }
}

function bound(random: SeededRandom) {
  return {
    below: (count: number) => random.below(count),
    chance: (probability: number) => random.chance(probability),
    pick: <Item>(items: readonly Item[]) => random.pick(items),
  };
}

function versionOf({ headers }: { headers: Headers }): number {
  return Number(/^"(\d+)"$/.exec(headers.get("etag") ?? "")?.[1]);
}

function pathOf(key: string): string {
  return `/v1/kv/${encodeURIComponent(key)}`;
}

function headersOf(condition: LoadCondition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  if (condition.version === null) return { "if-none-match": "*" };
  return { "if-match": `"${condition.version}"` };
}
