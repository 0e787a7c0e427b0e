/** What `cairn serve` and its threads tell each other. */

import type { LogRecord } from "@logtape/logtape";
import type { SharedStore } from "../../mod.ts";
import type { Telemetry, TlsFiles, Tokens } from "../../server/http/mod.ts";
import type { HostPort } from "../host_port.ts";
import type { LogLevel } from "../logging.ts";

/** The figures of one thread. */
export type Figures = ReturnType<Telemetry["metrics"]["figures"]>;

/** What a thread begins with. */
export interface ServeThreadData {
  kind: "cairn serve";
  store: SharedStore;
  /** Which thread it is, from 1, of how many, the main one included. */
  number: number;
  threads: number;
  /** For `RequestCount`. */
  counts: SharedArrayBuffer;
  http: HostPort & { hostNames: readonly string[] };
  tcp: HostPort | undefined;
  tls: TlsFiles | undefined;
  tokens: Tokens | undefined;
  slowRequestMs: number;
  logLevel: LogLevel;
  httpPort: unknown;
  tcpPort: unknown;
}

/** To a thread. */
export type ThreadOrder =
  | { kind: "figures"; id: number }
  | { kind: "renew"; tokens: Tokens | undefined; tls: TlsFiles | undefined }
  | { kind: "close"; graceMs: number };

/** From a thread. */
export type ThreadReport =
  | { kind: "listening" }
  | { kind: "failed"; message: string }
  | { kind: "figures"; id: number; figures: Figures }
  | { kind: "log"; record: LogRecord }
  | { kind: "closed" };
