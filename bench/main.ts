/**
 * The first benchmarks: the operations that people feel, on one machine, in one run. Figures vary
 * with the machine and its disk; the bare loops beside them tell how much of that is Cairn's.
 *
 *     deno task bench [keys]
 */

import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { KvStore } from "../lib/mod.ts";
import { makeKeys, makeValue } from "./workload.ts";

const keyCount = Number(process.argv[2] ?? 1_000_000);
const runtime = "Bun" in globalThis ? "Bun" : "Deno" in globalThis ? "Deno" : "Node";
const lazy = { durability: { bytes: 16 << 20, millis: 200 } } as const;
const directory = nodeFs.mkdtempSync(join(process.env.CAIRN_BENCH_DIR ?? tmpdir(), "cairn-bench-"));
const rows: [string, string][] = [];

function report(name: string, result: string): void {
  rows.push([name, result]);
  console.log(`${runtime}  ${name.padEnd(46)} ${result}`);
}

function rate(count: number, ms: number): string {
  return `${Math.round(count / ms * 1000).toLocaleString("en")} /s`.padStart(14) +
    `${(ms * 1e6 / count).toFixed(0)} ns`.padStart(12);
}

async function timed(work: () => Promise<void> | void): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function bulk(path: string, keys: string[], value: Uint8Array): Promise<void> {
  const store = await KvStore.open(path, lazy);
  const rssBefore = process.memoryUsage().rss;
  const ms = await timed(async () => {
    for (const key of keys) store.setSync(key, value);
    await store.flush();
  });
  report("bulk setSync, batch durability, flushed", rate(keys.length, ms));
  const stats = store.stats();
  const perKey = (stats.indexBytes - stats.indexKeyBytes) / stats.keys;
  report("index bytes a key, beyond the key's own", perKey.toFixed(1).padStart(14));
  const rss = process.memoryUsage().rss - rssBefore;
  report("resident memory grown, bytes a key", (rss / stats.keys).toFixed(1).padStart(14));
  const msAgain = await timed(async () => {
    for (const key of keys) store.setSync(key, value);
    await store.flush();
  });
  report("overwrite setSync, batch durability, flushed", rate(keys.length, msAgain));
  await store.close();
}

async function bulkAsync(path: string, keys: string[], value: Uint8Array): Promise<void> {
  const store = await KvStore.open(path, lazy);
  const ms = await timed(async () => {
    for (const key of keys) await store.set(key, value);
    await store.flush();
  });
  report("bulk await set, batch durability, flushed", rate(keys.length, ms));
  await store.close();
}

async function reads(path: string, keys: string[]): Promise<void> {
  const begin = performance.now();
  const store = await KvStore.open(path, lazy);
  const ms = performance.now() - begin;
  report("open after a clean close", `${ms.toFixed(0)} ms`.padStart(14) + `  ${store.size} keys`);
  let bytes = 0;
  const msSync = await timed(() => {
    for (const key of keys) bytes += store.getSync(key)!.length;
  });
  report("random getSync", rate(keys.length, msSync));
  const msAsync = await timed(async () => {
    for (const key of keys) bytes += (await store.get(key))!.length;
  });
  report("random await get", rate(keys.length, msAsync));
  const msFirst = await timed(async () => {
    for await (const entry of store.scan({ limit: 100 })) bytes += entry.value.length;
  });
  report("first scan of 100 (builds the order)", `${msFirst.toFixed(0)} ms`.padStart(14));
  const scans = 1000;
  const msScan = await timed(async () => {
    for (let index = 0; index < scans; index++) {
      const start = keys[index]!;
      for await (const entry of store.scan({ start, limit: 100 })) bytes += entry.value.length;
    }
  });
  report("later scans of 100 entries", rate(scans, msScan));
  await store.close();
}

async function replay(path: string, keys: string[]): Promise<void> {
  const segments = nodeFs.readdirSync(join(path, "wal"));
  for (const name of segments) {
    if (name.endsWith(".hint")) nodeFs.unlinkSync(join(path, "wal", name));
  }
  const begin = performance.now();
  const store = await KvStore.open(path, { readOnly: true });
  const ms = performance.now() - begin;
  const { records, bytes } = store.stats().replay;
  report(
    "replay by scanning",
    rate(records, ms) + `${(bytes / ms / 1e6).toFixed(2)} GB/s`.padStart(14),
  );
  void keys;
  await store.close();
}

async function durable(path: string, keys: string[], value: Uint8Array): Promise<void> {
  const frame = makeValue(143);
  const fd = nodeFs.openSync(join(directory, "bare"), "w");
  const singles = 2000;
  let position = 0;
  const msBare = await timed(() => {
    for (let index = 0; index < singles; index++) {
      nodeFs.writeSync(fd, frame, 0, frame.length, position);
      nodeFs.fdatasyncSync(fd);
      position += frame.length;
    }
  });
  report("bare write + fdatasync", rate(singles, msBare));
  const store = await KvStore.open(path);
  const ms = await timed(async () => {
    for (let index = 0; index < singles; index++) await store.set(keys[index]!, value);
  });
  report("durable set, one at a time", rate(singles, ms) + `  ${(msBare / ms).toFixed(2)} of bare`);
  const msSync = await timed(() => {
    for (let index = 0; index < singles; index++) store.setSync(keys[index]!, value);
  });
  report("durable setSync", rate(singles, msSync) + `  ${(msBare / msSync).toFixed(2)} of bare`);
  const total = 100_000;
  const group = makeValue(143 * 64);
  const msBareGroup = await timed(async () => {
    for (let index = 0; index < total / 64; index++) {
      nodeFs.writeSync(fd, group, 0, group.length, position);
      position += group.length;
      await new Promise<void>((resolve, reject) =>
        nodeFs.fdatasync(fd, (error) => error ? reject(error) : resolve())
      );
    }
  });
  report("bare group commit of 64", rate(total, msBareGroup));
  const ms64 = await timed(async () => {
    let next = 0;
    await Promise.all(Array.from({ length: 64 }, async () => {
      while (next < total) await store.set(keys[next++ % keys.length]!, value);
    }));
  });
  report(
    "durable set, 64 at once",
    rate(total, ms64) + `  ${(msBareGroup / ms64).toFixed(2)} of bare`,
  );
  nodeFs.closeSync(fd);
  await store.close();
}

try {
  const keys = makeKeys(keyCount);
  const value = makeValue(100);
  await bulk(join(directory, "bulk"), keys, value);
  await bulkAsync(join(directory, "bulk-async"), keys, value);
  await reads(join(directory, "bulk-async"), keys);
  await replay(join(directory, "bulk-async"), keys);
  await durable(join(directory, "durable"), keys, value);
} finally {
  nodeFs.rmSync(directory, { recursive: true, force: true });
}
