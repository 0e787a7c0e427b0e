/**
 * The TCP service, for programs that embed it: {@link createTcpServer} makes a server of a store that
 * speaks the store's own text protocol, and that of Redis, on one port.
 *
 * @module
 */

export { type Access, AccessControl, tokenProblem, type Tokens } from "../access_control.ts";
export { type ConnectionLimit, descriptorsMaxOf } from "../connection_limit.ts";
export type { ProgramInfo } from "../telemetry/process_metrics.ts";
export { Telemetry, type TelemetryOptions } from "../telemetry/telemetry.ts";
export type { TlsFiles } from "../tls_files.ts";
export type { SessionFactory, TcpLimits } from "./connection_context.ts";
export type { Reply, ReplyEncoder } from "./resp/reply.ts";
export type { Session, SessionConnection } from "./resp/session.ts";
export {
  createTcpServer,
  type TcpListenOptions,
  TcpServer,
  type TcpServerOptions,
} from "./tcp_server.ts";
export type { Transport, TransportEvents } from "./transport.ts";
