/** A running server as the target of a command, over HTTP. */

import { Buffer } from "node:buffer";
import process from "node:process";
import { KvError } from "../../errors.ts";
import { KEY_BYTES_LIMIT } from "../../limits.ts";
import type {
  CompactionResult,
  CopyReport,
  Entry,
  ScanOptions,
  SetOptions,
  StoreStats,
  WriteResult,
} from "../../mod.ts";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { readCertificates, readSecretFile } from "../secret_file.ts";
import { quoted } from "../terminal_text.ts";
import type { CopyObserver } from "../transfer/directory_copy.ts";
import type { TargetOptions } from "./choose_target.ts";
import { HttpClient } from "./http_client.ts";
import { bytesOf, type ListedValue, sendableOf, ttlSeconds } from "./server_json.ts";
import { followServer } from "./server_feed.ts";
import { loadIntoServer } from "./server_load.ts";
import type {
  FollowedChange,
  FollowOptions,
  FrozenStore,
  LoadEntry,
  Refusal,
  Target,
} from "./target.ts";

interface ListedEntry extends ListedValue {
  key: string;
  version: number;
  size: number;
  expiresAt?: number;
}

/** A longer key may not fit into a request line. */
const PATH_KEY_LENGTH_MAX = 12_000;
/** Enough of a long key to find it by. */
const SEARCH_PREFIX_LENGTH = 1000;

/** A server. */
export class ServerTarget implements Target {
  readonly isServer = true;
  readonly place: string;
  readonly #client: HttpClient;

  /** Connects to nothing yet. */
  constructor(client: HttpClient) {
    this.#client = client;
    this.place = `at ${client.address}`;
  }

  /** The server of this address, with what options and environment say of how to reach it. */
  static of(url: URL, { tokenFile, tlsCa }: TargetOptions): ServerTarget {
    const caFile = tlsCa ?? (process.env["CAIRN_TLS_CA"] || undefined);
    const ca = caFile === undefined ? undefined : readCertificates("--tls-ca", caFile);
    return new ServerTarget(new HttpClient({ url, ca, token: tokenOf(tokenFile) }));
  }

  async getEntry(key: string): Promise<Entry | undefined> {
    assertKey(key);
    if (!fitsPath(key)) return await this.#search(key);
    try {
      const response = await this.#client.send({ path: pathOf(key) });
      const version = await this.#versionOf(response);
      const expiresAt = response.headers.get("cairn-expires-at");
      return {
        key,
        value: await this.#client.bytes(response),
        version,
        ...(expiresAt !== null && { expiresAt: Number(expiresAt) }),
      };
    } catch (error) {
      if (error instanceof KvError && error.code === "NotFound") return undefined;
      throw error;
    }
  }

  async set(
    key: string,
    value: Uint8Array | string,
    { ttl, ifAbsent, ifVersion }: SetOptions,
  ): Promise<WriteResult> {
    assertKey(key);
    const seconds = ttl === undefined ? undefined : ttlSeconds(ttl);
    if (!fitsPath(key)) {
      const checks = ifAbsent
        ? [{ key, version: null }]
        : ifVersion === undefined
        ? []
        : [{ key, version: ifVersion }];
      const op = { op: "set", key, ...sendableOf(value), ...(seconds && { ttl: Number(seconds) }) };
      return await this.#batch([op], checks);
    }
    const response = await this.#client.send({
      method: "PUT",
      path: pathOf(key),
      query: { ttl: seconds },
      headers: {
        ...(ifAbsent && { "if-none-match": "*" }),
        ...(ifVersion !== undefined && { "if-match": `"${ifVersion}"` }),
      },
      body: value,
    });
    // An answer with a value in it is none to a PUT.
    if (response.status === 200) throw await this.#client.notCairn(response);
    return { version: await this.#versionOf(response) };
  }

  async delete(key: string): Promise<Partial<WriteResult>> {
    assertKey(key);
    if (fitsPath(key)) {
      const response = await this.#client.send({ method: "DELETE", path: pathOf(key) });
      if (response.status !== 204) throw await this.#client.notCairn(response);
      const version = response.headers.get("cairn-version");
      // What lies between may not hand on what it does not know.
      return version === null ? {} : { version: Number(version) };
    }
    const entry = await this.#search(key);
    if (entry === undefined) {
      throw new KvError("NotFound", `Key ${quoted(key)} does not exist`);
    }
    return await this.#batch([{ op: "del", key }], [{ key, version: entry.version }]);
  }

  /** Deletes keys that a listing has shown; it is no error if one is gone meanwhile. */
  async deleteAll(keys: readonly string[]): Promise<void> {
    await this.#batch(keys.map((key) => ({ op: "del", key })), []);
  }

  async *scan(options: ScanOptions): AsyncGenerator<Entry, void> {
    const { prefix, start, end, limit, reverse, values = true } = options;
    if (limit === 0) return;
    const request = {
      path: "/v1/kv",
      query: {
        prefix: textOf(prefix),
        start: textOf(start),
        end: textOf(end),
        limit,
        reverse: reverse ? 1 : undefined,
        values: values ? 1 : undefined,
      },
    };
    for await (const line of this.#client.lines<ListedEntry>(request, "key", "the listing")) {
      const { key, version, size, expiresAt, ...listed } = line;
      const value = values ? bytesOf(listed) : new Uint8Array();
      // One that is too long to be listed.
      const entry = value === undefined
        ? await this.getEntry(key)
        : { key, value, version, size, ...(expiresAt !== undefined && { expiresAt }) };
      if (entry !== undefined) yield entry;
    }
  }

  follow(options: FollowOptions): AsyncIterable<FollowedChange> {
    return followServer(this.#client, options);
  }

  stats(): Promise<StoreStats> {
    return this.#client.json<StoreStats>({ path: "/v1/stats" }, "replay");
  }

  async flush(): Promise<void> {
    const response = await this.#client.send({ method: "POST", path: "/v1/flush" });
    if (response.status !== 204) throw await this.#client.notCairn(response);
  }

  compact(): Promise<CompactionResult> {
    return this.#client.json<CompactionResult>(
      { method: "POST", path: "/v1/compact" },
      "segmentsBefore",
    );
  }

  async backup(directory: string, observer: CopyObserver | undefined): Promise<CopyReport> {
    const { unpackBackup } = await import("../backup_archive.ts");
    const bytesTotal = observer === undefined ? 0 : (await this.stats()).totalBytes;
    const onLogBytes = observer && ((bytes: number) => observer(bytes, bytesTotal));
    const response = await this.#client.send({ path: "/v1/backup", type: "application/x-tar" });
    const archive = this.#client.body(response, "the backup");
    return await unpackBackup(archive, directory, onLogBytes);
  }

  load(entries: readonly LoadEntry[]): Promise<Refusal[]> {
    return loadIntoServer(this.#client, this, entries);
  }

  async freeze(scratch: string, observer: CopyObserver | undefined): Promise<FrozenStore> {
    const { freezeCopy } = await import("./frozen_copy.ts");
    return await freezeCopy(scratch, (directory) => this.backup(directory, observer));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #batch(ops: unknown[], checks: unknown[]): Promise<WriteResult> {
    return await this.#client.json<WriteResult>({
      method: "POST",
      path: "/v1/batch",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ops, checks }),
    }, "version");
  }

  /** The version of a value; nobody but Cairn has such a tag. */
  async #versionOf(response: Response): Promise<number> {
    // Proxies that compress make it a weak one.
    const version = /^(?:W\/)?"(\d{1,16})"$/.exec(response.headers.get("etag") ?? "")?.[1];
    if (version === undefined) throw await this.#client.notCairn(response);
    return Number(version);
  }

  /** Finds a key that cannot be named in a path. */
  async #search(key: string): Promise<Entry | undefined> {
    let prefix = key.slice(0, SEARCH_PREFIX_LENGTH);
    // Not between the two halves of a character.
    if (!prefix.isWellFormed()) prefix = prefix.slice(0, -1);
    for await (const entry of this.scan({ prefix, values: true })) {
      if (entry.key === key) return entry;
    }
    return undefined;
  }
}

/** The token, from a file or the environment. */
function tokenOf(tokenFile: string | undefined): string | undefined {
  const text = tokenFile === undefined
    ? process.env["CAIRN_TOKEN"]
    : readSecretFile("--token-file", tokenFile);
  const token = text?.trim();
  if (token === undefined) return undefined;
  const where = tokenFile === undefined ? "CAIRN_TOKEN" : `--token-file ${quoted(tokenFile)}`;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(
    EXIT_CODE.usage,
    `there is no token in ${where}: it must be one line without white space`,
  );
}

/** Steps in a path are no keys, and a request line has an end. */
function fitsPath(key: string): boolean {
  return key !== "." && key !== ".." && encodeURIComponent(key).length <= PATH_KEY_LENGTH_MAX;
}

/** What no store would take is not looked for in one. */
function assertKey(key: string): void {
  const length = Buffer.byteLength(key);
  if (length > 0 && length <= KEY_BYTES_LIMIT) return;
  throw new KvError(
    "InvalidKey",
    length === 0
      ? "The key is empty: give at least one character"
      : `The key ${quoted(key)} has ${length} bytes: at most ${KEY_BYTES_LIMIT} will do`,
  );
}

/** `key` is well-formed, since arguments are. */
function pathOf(key: string): string {
  return `/v1/kv/${encodeURIComponent(key)}`;
}

function textOf(bound: string | Uint8Array | undefined): string | undefined {
  return bound === undefined || typeof bound === "string" ? bound : Buffer.from(bound).toString();
}
