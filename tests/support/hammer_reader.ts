/**
 * A worker that reads a store as fast as it can while another thread writes, and holds each value
 * against the ledger; see tests/worker/hammer_test.ts. When the store is closed, it waits for the
 * handle of the next one.
 */

import { parentPort, workerData } from "node:worker_threads";
import { KvError } from "../../lib/errors.ts";
import type { SharedStore } from "../../lib/store/shared_store.ts";
import { KvReader } from "../../lib/worker/kv_reader.ts";
import { growthKeyOf, type HammerJob, keyOf, mayBeAbsent, recognise } from "./self_describing.ts";

const READS_BETWEEN_SCANS = 1000;

const { handle, ledger, keys, reader: number } = workerData as HammerJob;
const begun = new Int32Array(ledger.begun);
const acknowledged = new Int32Array(ledger.acknowledged);
const grown = new Int32Array(ledger.grown);
const state = new Int32Array(ledger.state);

async function read(reader: KvReader, key: string, way: number): Promise<Uint8Array | undefined> {
  return way < 2 ? await reader.get(key) : (await reader.getEntry(key))?.value;
}

/** Scans, and expects each key that was there throughout once, and none older than it may be. */
async function scan(reader: KvReader): Promise<void> {
  const least = acknowledged.map((_, key) => Atomics.load(acknowledged, key));
  const found = new Set<number>();
  for await (const { key: name, value } of reader.scan({ prefix: keyOf("") })) {
    const key = Number(name.slice(keyOf("").length));
    if (found.has(key)) throw new Error(`${name} was found twice`);
    found.add(key);
    const write = recognise(value, key);
    if (write < least[key]!) throw new Error(`${name}: ${write} is older than ${least[key]}`);
  }
  for (let key = 0; key < keys; key++) {
    if (!found.has(key) && !mayBeAbsent(least[key]!, Atomics.load(begun, key))) {
      throw new Error(`key ${key} was not found`);
    }
  }
}

const handles: SharedStore[] = [handle];
let onHandle: () => void = () => {};
parentPort!.on("message", (next: SharedStore) => {
  handles.push(next);
  onHandle();
});

async function nextHandle(): Promise<SharedStore> {
  while (handles.length === 0) {
    const { promise, resolve } = Promise.withResolvers<void>();
    onHandle = resolve;
    await promise;
  }
  return handles.shift()!;
}

const seen = new Int32Array(keys);
let random = number * 7919;

async function run(): Promise<void> {
  while (Atomics.load(state, 0) === 0) {
    const handle = await nextHandle();
    try {
      using reader = KvReader.attach(handle);
      await hammer(reader);
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "Closed") throw error;
    }
  }
}

/** Reads a key that was added at some time, and is there for good. */
function readGrown(reader: KvReader): void {
  const count = Atomics.load(grown, 0);
  if (count === 0) return;
  const key = growthKeyOf((random >>> 4) % count);
  const value = reader.getSync(key);
  const text = value && new TextDecoder().decode(value);
  if (text !== key) throw new Error(`${key} has the value ${text}`);
}

async function hammer(reader: KvReader): Promise<void> {
  while (Atomics.load(state, 0) === 0) {
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    const key = (random >>> 8) % keys;
    // What was acknowledged before the read began, or seen before, is the least that it must see.
    const least = Math.max(Atomics.load(acknowledged, key), seen[key]!);
    const way = random >>> 28;
    const value = way < 4 ? await read(reader, keyOf(key), way) : reader.getSync(keyOf(key));
    const most = Atomics.load(begun, key);
    if (value === undefined) {
      if (!mayBeAbsent(least, most)) throw new Error(`key ${key}: ${least} to ${most} is missing`);
    } else {
      const write = recognise(value, key);
      if (write < least) throw new Error(`key ${key}: ${write} is older than ${least}`);
      if (write > most) throw new Error(`key ${key}: ${write} is newer than ${most}`);
      seen[key] = write;
    }
    readGrown(reader);
    const reads = Atomics.add(state, number, 1);
    if (reads % READS_BETWEEN_SCANS === 0) await scan(reader);
  }
}

run().then(
  () => parentPort!.postMessage("done"),
  (error: Error) => parentPort!.postMessage(`reader ${number}: ${error.stack ?? error}`),
);
