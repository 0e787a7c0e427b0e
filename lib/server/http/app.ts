import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { VALUE_BYTES_MAX_DEFAULT } from "../../limits.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { pathHandlers } from "./path_handler.ts";
import { HttpError, problemOf, statusOf } from "./problem.ts";
import { guardRequest } from "./request_guard.ts";
import { rawPath } from "./request_target.ts";
import { ROUTES } from "./routes.ts";
import type { StoreApi } from "./store_api.ts";

/** Options of {@link createApp}. */
export interface AppOptions {
  /**
   * Host header values to answer to, as `name:port` (default: `localhost`, `127.0.0.1` and `[::1]`
   * with any port). Other Hosts get 421, which keeps web pages out that point a name at this machine.
   */
  authorities?: ReadonlySet<string>;
  /** Longest value to accept, in bytes; that of the store (default 64 MiB). */
  valueBytesMax?: number;
  /** Receives log entries instead of LogTape's category `cairn`, `http`. */
  logger?: Logger;
}

/**
 * The HTTP service of a store, as a Hono application: serve its `fetch` with any runtime.
 *
 * | route | |
 * |---|---|
 * | `GET HEAD PUT DELETE /v1/kv/{key}` | one value, raw bytes |
 * | `GET /v1/kv` | keys in order, a page at a time or as a stream |
 * | `POST /v1/batch` | several writes, all or nothing |
 * | `POST /v1/flush`, `POST /v1/compact`, `GET /v1/stats` | the store |
 * | `GET /healthz`, `GET /readyz` | whether it answers, and takes writes |
 * | `GET /openapi.json`, `GET /docs` | all of this in full, for programs and for people |
 *
 * @example
 * ```ts ignore
 * import { KvStore } from "@cairn/kv";
 * import { createApp } from "@cairn/kv/http";
 *
 * const store = await KvStore.open("./data");
 * Deno.serve({ hostname: "127.0.0.1", port: 8620 }, createApp(store).fetch);
 * ```
 */
export function createApp(store: StoreApi, options: AppOptions = {}): Hono {
  const {
    authorities,
    valueBytesMax = VALUE_BYTES_MAX_DEFAULT,
    logger = getLogger(["cairn", "http"]),
  } = options;

  const app = new Hono({ getPath: rawPath });
  const service = { store, valueBytesMax, logger, routes: ROUTES };
  for (const [path, handle] of pathHandlers(ROUTES, service)) {
    app.all(path.replace("{key}", "*"), ({ req }) => {
      guardRequest(req.raw, authorities);
      return handle(req.raw);
    });
  }
  app.notFound(({ req }) => {
    guardRequest(req.raw, authorities);
    throw new HttpError("NoSuchRoute", "There is no such resource: /docs lists those there are");
  });
  app.onError((error, { req }) => {
    if (statusOf(error) >= 500) {
      const { method, path } = req;
      logger.error("{method} {path} failed: {error}", { method, path, error });
    }
    return problemOf(error);
  });
  return app;
}
