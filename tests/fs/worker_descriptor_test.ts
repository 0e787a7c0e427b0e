/** A worker that is terminated leaves no file open, and none mapped. */

import assert from "node:assert/strict";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

/** Descriptors of this process that lead into a directory. */
function openIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(directory) ? [target] : [];
    } catch {
      return []; // that by which the directory was listed
    }
  });
}

/** How many maps this process has of files in a directory. */
function mapsOf(directory: string): number {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(directory)).length;
}

testUnless(
  process.platform === "linux" ? undefined : "there is no /proc",
  "worker: what it has open is closed when it is terminated, and no more is open before",
  async () => {
    using directory = new TemporaryDirectory();
    const paths = [0, 1, 2, 3, 4].map((number) => {
      const path = directory.join(`file:${number}`);
      writeFileSync(path, Uint8Array.of(number));
      return path;
    });
    const before = readdirSync("/proc/self/fd").length;
    const worker = new Worker(new URL("../support/descriptor_worker.ts", import.meta.url), {
      workerData: { paths, rounds: 100 },
    });
    const message = await new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
    assert.equal(message, "open");
    assert.deepEqual(openIn(directory.path).sort(), paths.slice(0, -1));
    assert.equal(mapsOf(directory.path), "Bun" in globalThis ? paths.length - 1 : 0);
    assert(readdirSync("/proc/self/fd").length < before + 50, "descriptors are used again");
    // These get numbers that were the worker's.
    const own = Array.from({ length: 50 }, () => openSync(paths[0]!, "r"));
    own.forEach(closeSync);
    const others = Array.from({ length: 50 }, () => openSync("/dev/null", "r"));
    await worker.terminate();
    await until("the descriptors are closed", () => openIn(directory.path).length === 0);
    await until("the files are unmapped", () => mapsOf(directory.path) === 0);
    for (const fd of others) assert.equal(readlinkSync(`/proc/self/fd/${fd}`), "/dev/null");
    others.forEach(closeSync);
  },
);
