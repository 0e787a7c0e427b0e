/**
 * Measures the index alone: `deno run -A bench/index_bench.ts [keys]`, or the same under Bun.
 *
 * Figures are per operation, on keys of 16 bytes in random order. Run it on an otherwise idle
 * machine, and compare only figures of one run.
 */

import process from "node:process";
import { KeyIndex } from "../lib/index/key_index.ts";
import { NumberShuffle } from "./workload.ts";

const KEY_BYTES = 16;
const COUNT_DEFAULT = 1_000_000;
const NOW_MS = 1_800_000_000_000;

const HEX = new Uint8Array([..."0123456789abcdef"].map((digit) => digit.charCodeAt(0)));
const key = new Uint8Array(KEY_BYTES).fill("k".charCodeAt(0));

function writeKey(number: number): void {
  let rest = number;
  for (let at = KEY_BYTES - 1; at >= KEY_BYTES - 8; at--) {
    key[at] = HEX[rest & 15]!;
    rest >>>= 4;
  }
}

function rssBytes(): number {
  return process.memoryUsage().rss;
}

function print(name: string, value: number, unit: string): void {
  console.log(`${name.padEnd(34)} ${value.toFixed(1).padStart(10)} ${unit}`);
}

let measureCount = 0;

/** Runs `operation` for each number below `count` and prints nanoseconds for each. */
function measure(name: string, count: number, operation: (number: number) => void): void {
  const shuffle = new NumberShuffle(count, ++measureCount);
  const start = performance.now();
  for (let i = 0; i < count; i++) operation(shuffle.next());
  print(name, (performance.now() - start) * 1e6 / count, "ns");
}

function insert(index: KeyIndex, number: number, expiresAt: number): void {
  writeKey(number);
  const hash = index.hash(key, 0, KEY_BYTES);
  index.insert(hash, key, 0, KEY_BYTES, 1, number, 140, number, number + 1, expiresAt);
}

function find(index: KeyIndex, number: number): number {
  writeKey(number);
  return index.find(index.hash(key, 0, KEY_BYTES), key, 0, KEY_BYTES);
}

/** Inserts with every call timed, and prints the longest ones. */
function benchLongest(count: number): void {
  const index = new KeyIndex({ hashSeed: 7 });
  const longest: number[] = [];
  const shuffle = new NumberShuffle(count, 1);
  for (let i = 0; i < count; i++) {
    const number = shuffle.next();
    const start = performance.now();
    insert(index, number, 0);
    const elapsed = performance.now() - start;
    if (elapsed > 0.2) longest.push(elapsed);
  }
  longest.sort((a, b) => b - a);
  print("longest insert", longest[0] ?? 0, "ms");
  print("10th longest insert", longest[9] ?? 0, "ms");
  print("inserts over 1 ms", longest.filter((elapsed) => elapsed > 1).length, "");
}

function benchOperations(count: number): void {
  measure("key and shuffle alone", count, writeKey);
  const rssBefore = rssBytes();
  const index = new KeyIndex({ hashSeed: 7 });
  measure("key, shuffle and hash", count, (number) => {
    writeKey(number);
    index.hash(key, 0, KEY_BYTES);
  });
  measure("insert", count, (number) => insert(index, number, 0));
  const overhead = (index.memoryBytes() - index.keyBytes()) / count;
  print("memory beyond the key", overhead, "bytes a key");
  print("RSS beyond the key", (rssBytes() - rssBefore - index.keyBytes()) / count, "bytes a key");
  let hits = 0;
  measure("find, present", count, (number) => {
    if (find(index, number) !== 0) hits++;
  });
  measure("find, absent", count, (number) => {
    if (find(index, number + count) !== 0) hits++;
  });
  if (hits !== count) throw new Error(`found ${hits} of ${count} keys`);
  measure("find and update", count, (number) => {
    index.update(find(index, number), 2, number, 140, number, count + number, 0);
  });
  benchWalkAndOrder(index, count);
  measure("find and remove, ordered", count >> 2, (number) => index.remove(find(index, number)));
}

function benchWalkAndOrder(index: KeyIndex, count: number): void {
  let visited = 0;
  const visit = () => void visited++;
  let start = performance.now();
  for (let cursor = 0; cursor >= 0;) cursor = index.walk(cursor, visit);
  print("walk", (performance.now() - start) * 1e6 / visited, "ns");
  let longest = 0;
  start = performance.now();
  for (let done = false; !done;) {
    const stepStart = performance.now();
    done = index.buildOrder(1000);
    longest = Math.max(longest, performance.now() - stepStart);
  }
  print("build order", (performance.now() - start) * 1e6 / count, "ns");
  print("longest step of 1000", longest, "ms");
  print(
    "memory beyond the key, ordered",
    (index.memoryBytes() - index.keyBytes()) / count,
    "bytes",
  );
  const out = new Uint32Array(1000);
  start = performance.now();
  let collected = 0;
  const lower = new Uint8Array(KEY_BYTES);
  let length = 0;
  let taken: number;
  do {
    taken = index.collect(
      { lower: lower.subarray(0, length), lowerInclusive: false, reverse: false },
      out.length,
      out,
    );
    if (taken > 0) length = index.copyKey(out[taken - 1]!, lower, 0);
    collected += taken;
  } while (taken > 0);
  print("collect", (performance.now() - start) * 1e6 / collected, "ns");
  if (collected !== count) throw new Error(`collected ${collected} of ${count} keys`);
}

function benchExpiry(count: number): void {
  const index = new KeyIndex({ hashSeed: 7 });
  measure("insert with expiry", count, (number) => insert(index, number, NOW_MS + number));
  measure("find and update expiry", count, (number) => {
    index.update(find(index, number), 2, number, 140, number, count, NOW_MS + 2 * count - number);
  });
  measure("expire", count, () => index.remove(index.expireNext(Infinity)));
  print("memory in use when all are gone", index.usedBytes() / 2 ** 20, "MiB");
}

const count = Number(process.argv[2] ?? COUNT_DEFAULT);
console.log(`${count} keys, ${process.versions.bun === undefined ? "Deno" : "Bun"}`);
benchOperations(count);
benchLongest(count);
benchExpiry(Math.min(count, COUNT_DEFAULT));
