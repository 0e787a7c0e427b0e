/**
 * Writes to the store in the directory given until it is killed, and says which writes were
 * acknowledged. Write number `n` goes to key `n % keys`; every tenth is a batch of two keys that must
 * always be the same. Segments are short, and compaction runs all the time.
 */

import process from "node:process";
import { KvStore } from "../../../lib/mod.ts";
import { say } from "./say.ts";

const CONCURRENT = 16;

const [, , path = "", first = "0", keys = "500"] = process.argv;
const store = await KvStore.open(path, { segmentBytesMax: 64 * 1024 });
let next = Number(first);

async function write(): Promise<never> {
  for (;;) {
    const number = next++;
    const value = `${number} `.padEnd(100, "x");
    if (number % 10 === 0) {
      await store.batch([
        { op: "set", key: "left", value },
        { op: "set", key: "right", value },
      ]);
    } else {
      await store.set(`key ${number % Number(keys)}`, value);
    }
    say(String(number));
  }
}

async function compact(): Promise<never> {
  for (;;) {
    await store.compact();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

await Promise.all([compact(), ...Array.from({ length: CONCURRENT }, write)]);
