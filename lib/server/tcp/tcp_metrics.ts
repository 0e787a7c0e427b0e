/** What is counted of a TCP server. */

import type { Metric } from "../telemetry/metric_set.ts";
import { CommandCounts } from "./command_counts.ts";
import type { HeldBytes } from "./outbox.ts";

/** Why the server ended a connection of itself. */
export const CUT_REASONS = ["idle", "slow", "memory", "protocol", "http"] as const;
/** One of {@link CUT_REASONS}. */
export type CutReason = typeof CUT_REASONS[number];

/** The figures of one server. */
export class TcpMetrics {
  readonly commands: CommandCounts = new CommandCounts();
  readonly held: HeldBytes = { output: 0, input: 0, sent: 0 };
  readonly cut: Record<CutReason, number> = { idle: 0, slow: 0, memory: 0, protocol: 0, http: 0 };
  connectionsOpen = 0;
  connectionsAccepted = 0;
  connectionsRefused = 0;
  bytesReceived = 0;

  /** The metrics. */
  metrics(): Metric[] {
    return [
      {
        name: "cairn_tcp_connections_open",
        help: "Connections that are open",
        type: "gauge",
        collect: () => [{ value: this.connectionsOpen }],
      },
      {
        name: "cairn_tcp_connections_total",
        help: "Connections that were accepted",
        type: "counter",
        collect: () => [{ value: this.connectionsAccepted }],
      },
      {
        name: "cairn_tcp_connections_refused_total",
        help: "Connections that were refused because there were too many",
        type: "counter",
        collect: () => [{ value: this.connectionsRefused }],
      },
      {
        name: "cairn_tcp_connections_cut_total",
        help: "Connections that the server ended, by reason",
        type: "counter",
        labelNames: ["reason"],
        collect: () =>
          CUT_REASONS.map((reason) => ({ labels: { reason }, value: this.cut[reason] })),
      },
      {
        name: "cairn_tcp_commands_total",
        help: "Commands that were answered, by protocol, name and result",
        type: "counter",
        labelNames: ["protocol", "command", "result"],
        collect: () => this.commands.samples(),
      },
      {
        name: "cairn_tcp_received_bytes_total",
        help: "Bytes received",
        type: "counter",
        collect: () => [{ value: this.bytesReceived }],
      },
      {
        name: "cairn_tcp_sent_bytes_total",
        help: "Bytes sent",
        type: "counter",
        collect: () => [{ value: this.held.sent }],
      },
      {
        name: "cairn_tcp_unsent_bytes",
        help: "Bytes of replies that wait for slow readers",
        type: "gauge",
        collect: () => [{ value: this.held.output }],
      },
    ];
  }
}
