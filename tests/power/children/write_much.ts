/**
 * Writes to the store in the directory that is its first argument, many at a time, until it cuts the
 * power by the command in its last arguments; names of values begin with the second argument, the
 * third is the seed. The fourth says when: soon after it opened the store (`opening`), began to
 * compact it (`compacting`), or at some time. It says on standard output, line by line, what it is
 * about to ask for (`? id key name`, or no name for a delete) and what was acknowledged (`! id`).
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { nodeFileSystem } from "../../../lib/fs/node_file_system.ts";
import { KvStore } from "../../../lib/mod.ts";
import { SeededRandom } from "../../support/seeded_random.ts";
import { valueOf } from "../../support/stored_value.ts";
import { watchingFileSystem } from "../../support/watching_file_system.ts";
import { cutPower } from "./power_switch.ts";

const [directory, prefix, seed, moment, ...cutCommand] = process.argv.slice(2);
const WRITERS = 8;
const KEYS_EACH = 6;
const STDOUT = 1;
const WRITING_MS_MAX = 250;
/** A compaction makes about so many calls, and an opening about half. */
const CALLS_MAX = 40;
const encoder = new TextEncoder();
const random = new SeededRandom(Number(seed));
let requestCount = 0;
/** Calls until the power is cut, once that is decided. */
let callsLeft = Infinity;

if (moment === "opening") callsLeft = random.below(CALLS_MAX / 2);
const store = await KvStore.open(directory!, {
  segmentBytesMax: 32 * 1024,
  compaction: { deadRatio: 0.4, deadBytesMin: 16 * 1024 },
  fileSystem: watchingFileSystem(nodeFileSystem, () => {
    if (callsLeft-- === 0) cutPower(cutCommand);
  }),
});
if (moment === "writing") setTimeout(() => callsLeft = 0, random.below(WRITING_MS_MAX));
const writers = Array.from({ length: WRITERS }, (_, writer) => writeOn(writer));
await Promise.all([...writers, batchOn(), compactOn()]);

function say(line: string): void {
  writeSync(STDOUT, encoder.encode(`${line}\n`));
}

function ask(key: string, name: string): number {
  const id = ++requestCount;
  say(`? ${id} ${key} ${name}`);
  return id;
}

/** Sets and deletes keys that nobody else writes. */
async function writeOn(writer: number): Promise<void> {
  while (true) {
    const key = `writer-${writer}/${random.below(KEYS_EACH)}`;
    if (store.has(key) && random.chance(0.2)) {
      const id = ask(key, "");
      await store.delete(key);
      say(`! ${id}`);
    } else {
      const name = `${prefix}.${requestCount}`;
      const id = ask(key, name);
      await store.set(key, valueOf(name, random.pick([20, 300, 4000])));
      say(`! ${id}`);
    }
  }
}

/** Sets three keys at once, to the same value. */
async function batchOn(): Promise<void> {
  while (true) {
    const name = `${prefix}.${requestCount}`;
    const keys = [0, 1, 2].map((index) => `batch/${index}`);
    const ids = keys.map((key) => ask(key, name));
    await store.batch(keys.map((key) => ({ op: "set", key, value: valueOf(name, 100) })));
    for (const id of ids) say(`! ${id}`);
  }
}

async function compactOn(): Promise<void> {
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (moment === "compacting" && random.chance(0.3)) callsLeft = random.below(CALLS_MAX);
    await store.compact();
  }
}
