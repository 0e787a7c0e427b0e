/** The text of `INFO`: sections of `name:value` lines, as tools that watch servers read them. */

import process from "node:process";
import { REDIS_VERSION } from "./compatibility.ts";
import type { RespService } from "./resp_service.ts";

type Section = (service: RespService) => Record<string, string | number>;

const MICROSECONDS = 1_000_000;

/** The sections, in the order in which they are shown. */
const SECTIONS: Readonly<Record<string, Section>> = {
  server(service) {
    const uptimeSeconds = Math.max(
      0,
      Math.floor((service.clock.now() - service.startedAt) / 1000),
    );
    return {
      redis_version: REDIS_VERSION,
      redis_mode: "standalone",
      cairn_version: service.version,
      os: `${process.platform} ${process.arch}`,
      arch_bits: 64,
      process_id: process.pid,
      run_id: service.runId,
      uptime_in_seconds: uptimeSeconds,
      uptime_in_days: Math.floor(uptimeSeconds / 86_400),
    };
  },
  clients: (service) => ({
    connected_clients: service.clients.size,
    blocked_clients: 0,
  }),
  memory(service) {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      used_memory: rss,
      used_memory_human: megabytes(rss),
      used_memory_rss: rss,
      used_memory_rss_human: megabytes(rss),
      used_memory_heap: heapUsed,
      used_memory_index: service.store.stats().indexBytes,
      maxmemory: 0,
      maxmemory_human: "0B",
      maxmemory_policy: "noeviction",
    };
  },
  persistence(service) {
    const stats = service.store.stats();
    return {
      loading: 0,
      async_loading: 0,
      rdb_bgsave_in_progress: 0,
      rdb_last_bgsave_status: "ok",
      aof_enabled: 1,
      aof_rewrite_in_progress: stats.compacting ? 1 : 0,
      aof_last_write_status: service.store.failure === undefined ? "ok" : "err",
      aof_current_size: stats.totalBytes,
      aof_dead_size: stats.deadBytes,
      aof_segments: stats.segments,
    };
  },
  stats(service) {
    const { connections, commands, hits, misses, errors } = service.counts;
    const stats = service.store.stats();
    return {
      total_connections_received: connections,
      total_commands_processed: commands,
      total_error_replies: errors,
      keyspace_hits: hits,
      keyspace_misses: misses,
      store_version: stats.version,
      store_durable_version: stats.durableVersion,
      store_syncs: stats.syncs,
      store_compactions: stats.compactions,
    };
  },
  replication: () => ({
    role: "master",
    connected_slaves: 0,
  }),
  cpu() {
    const { user, system } = process.cpuUsage();
    return {
      used_cpu_sys: (system / MICROSECONDS).toFixed(6),
      used_cpu_user: (user / MICROSECONDS).toFixed(6),
    };
  },
  cluster: () => ({ cluster_enabled: 0 }),
  keyspace(service): Record<string, string> {
    const { keys, expiringKeys } = service.store.stats();
    return keys === 0 ? {} : { db0: `keys=${keys},expires=${expiringKeys},avg_ttl=0` };
  },
};

/** Words that stand for all sections. */
const ALL = new Set(["all", "default", "everything"]);

/** The text with these sections, by names in lower case; all of them if none is named. */
export function infoText(service: RespService, names: readonly string[]): string {
  const isAll = names.length === 0 || names.some((name) => ALL.has(name));
  return Object.entries(SECTIONS)
    .filter(([name]) => isAll || names.includes(name))
    .map(([name, section]) => {
      const lines = Object.entries(section(service)).map(([field, value]) => `${field}:${value}`);
      return [`# ${titleOf(name)}`, ...lines, ""].join("\r\n");
    })
    .join("\r\n");
}

function titleOf(section: string): string {
  return section === "cpu" ? "CPU" : `${section[0]!.toUpperCase()}${section.slice(1)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)}M`;
}
