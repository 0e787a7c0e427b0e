import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { BACKUPS_SENT_MAX, REQUESTS_MAX, VALUE_BYTES_MAX_DEFAULT } from "../../limits.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import type { AccessControl } from "../access_control.ts";
import { ChangeFeeds } from "./change_feeds.ts";
import { createGate, type Handler } from "./gate.ts";
import { pathHandlers } from "./path_handler.ts";
import { HttpError } from "./problem.ts";
import { createGuard, type HostRules } from "./request_guard.ts";
import { RequestObserver } from "./request_observer.ts";
import { isKeyRequest, KEY_ROUTE, rawPath } from "./request_target.ts";
import { ROUTES } from "./routes.ts";
import { SlotLimit } from "./slot_limit.ts";
import type { StoreApi } from "./store_api.ts";

/** Options of {@link createApp}. */
export interface AppOptions extends HostRules {
  /** Who may do what, by token (default: everybody everything). */
  access?: AccessControl;
  /** Requests that may be under way at once (default 1024); others get 503. */
  requestsMax?: number;
  /** Counts change feeds, which may be open beside them, and ends them (default: 1000 may be). */
  changeFeeds?: ChangeFeeds;
  /** Longest value to accept, in bytes; that of the store (default 64 MiB). */
  valueBytesMax?: number;
  /** Receives log entries instead of LogTape's category `cairn`, `http`. */
  logger?: Logger;
  /** A request that takes so many milliseconds or longer is logged as slow (default 1000). */
  slowRequestMs?: number;
  /** What `/metrics` shows, and what measures and traces (default: one of the application's own). */
  telemetry?: Telemetry;
}

const SLOW_REQUEST_MS_DEFAULT = 1000;

/**
 * The HTTP service of a store, as a Hono application: serve its `fetch` with any runtime, passing on
 * what the runtime's server gives as the second argument, or mount it in a larger one. Each of its
 * routes stands behind the same gate, wherever it is mounted.
 *
 * | route | |
 * |---|---|
 * | `GET HEAD PUT DELETE /v1/kv/{key}` | one value, raw bytes |
 * | `GET /v1/kv` | keys in order, a page at a time or as a stream |
 * | `POST /v1/batch` | several writes, all or nothing |
 * | `GET /v1/changes` | what is written, live and from any version on |
 * | `GET /v1/backup` | the whole store as a tar archive |
 * | `POST /v1/flush`, `POST /v1/compact`, `GET /v1/stats` | the store |
 * | `GET /healthz`, `GET /readyz` | whether it answers, and takes writes |
 * | `GET /metrics` | figures for Prometheus |
 * | `GET /openapi.json`, `GET /docs` | all of this in full, for programs and for people |
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 * import { createApp } from "@cairn/kv/http";
 *
 * await using store = await KvStore.open("./data");
 * const app = createApp(store); // Deno.serve(app.fetch), Bun.serve(app), or without a server:
 * const url = "http://localhost/v1/kv/greeting";
 * const { status, headers } = await app.request(url, { method: "PUT", body: "hello" });
 * console.log(status, headers.get("etag")); // 201 "1"
 * console.log(await (await app.request(url)).text()); // hello
 * ```
 */
export function createApp(store: StoreApi, options: AppOptions = {}): Hono {
  const {
    access,
    requestsMax = REQUESTS_MAX,
    changeFeeds = new ChangeFeeds(),
    valueBytesMax = VALUE_BYTES_MAX_DEFAULT,
    logger = getLogger(["cairn", "http"]),
    slowRequestMs = SLOW_REQUEST_MS_DEFAULT,
    telemetry = new Telemetry(),
  } = options;
  const observer = new RequestObserver({ telemetry, logger, slowRequestMs });
  const observed = telemetry.observe(store);

  const app = new Hono({ getPath: rawPath });
  const gate = createGate({
    guard: createGuard(options),
    requestsMax,
    countedApart: () => changeFeeds.open,
    ...(access !== undefined && { access }),
  });
  const service = {
    store: observed,
    ...(store.direct !== undefined && { access: telemetry.access({ direct: store.direct }) }),
    valueBytesMax,
    logger,
    telemetry,
    changeFeeds,
    backups: new SlotLimit(BACKUPS_SENT_MAX, "backups under way"),
    routes: ROUTES,
  };
  const handlers = new Map<string, Handler>();
  for (const [path, handle] of pathHandlers(ROUTES, service)) {
    const handler = gate(handle);
    handlers.set(path, handler);
    app.all(path.replace("{key}", "*"), ({ req, env }) => handler(req.raw, env));
  }
  const unknown = gate(() => {
    throw new HttpError(
      "NoSuchRoute",
      "There is no such resource: /docs lists those there are",
      {},
      { field: "path" },
    );
  });
  app.notFound(({ req, env }) => unknown(req.raw, env));
  app.onError((error, { req }) => observer.failed(req.raw, error));
  answerKeysDirectly(app, handlers.get(`${KEY_ROUTE}{key}`)!);
  observer.observe(app);
  return app;
}

/**
 * Most requests are about one key: these need no router, and are answered without one. What they
 * throw is left to the observer, who stands around this.
 */
function answerKeysDirectly(app: Hono, handle: Handler): void {
  const routed = app.fetch;
  app.fetch = (request, env, context) =>
    isKeyRequest(request) ? handle(request, env) : routed(request, env, context);
}
