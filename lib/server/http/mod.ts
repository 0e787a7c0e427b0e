/**
 * The HTTP service, for programs that embed it: {@link createApp} makes an application of a
 * store, to be served as it is or mounted in a larger one.
 *
 * A key stands in the path percent-encoded (`encodeURIComponent`), and is decoded once; it may hold
 * `/`, encoded or not. Two keys cannot be written there: `.` and `..`, which clients and servers take
 * for steps in the path even when they are encoded. For the same reason encode the slashes beside such
 * segments: `a/../b` is `/v1/kv/a%2F..%2Fb`. Characters that are not ASCII, and `\`, must be encoded.
 *
 * @module
 */

export { type Access, AccessControl, tokenProblem, type Tokens } from "../access_control.ts";
export { type AppOptions, createApp } from "./app.ts";
export { ChangeFeeds } from "./change_feeds.ts";
export { type ConnectionLimit, descriptorsMaxOf } from "../connection_limit.ts";
export type { Handler } from "./gate.ts";
export { listen, type Listener, type ListenOptions } from "./listen.ts";
export { authoritiesOf, type HostRules, loopbackAuthorities } from "./request_guard.ts";
export type { StoreApi } from "./store_api.ts";
export type { TlsFiles } from "../tls_files.ts";
export type { ProgramInfo } from "../telemetry/process_metrics.ts";
export { Telemetry, type TelemetryOptions } from "../telemetry/telemetry.ts";
