/** Keys for the Tab key: few, soon, or none. */

import { systemClock } from "../../clock.ts";
import type { ScanOptions } from "../../mod.ts";
import type { Target } from "../target/target.ts";

/** More than fit on a screen help nobody. */
const KEYS_MAX = 100;
/** Whoever has pressed a key does not wait for longer. */
const WAIT_MS_MAX = 1000;

/**
 * Keys of a store that begin with `prefix`. Of many, the first ones and the last: what those have in
 * common all of them have, so that what a shell fills in by itself is right.
 */
export async function listKeys(target: Target, prefix: string): Promise<string[]> {
  const keys = await keysOf(target, { prefix, limit: KEYS_MAX, values: false });
  if (keys.length < KEYS_MAX) return keys;
  const last = await keysOf(target, { prefix, limit: 1, reverse: true, values: false });
  return [...new Set([...keys, ...last])];
}

/** What `list` finds if it does so in time and without an error, and otherwise nothing. */
export async function withoutDelay(list: () => Promise<string[]>): Promise<string[]> {
  return await new Promise<string[]>((resolve) => {
    const timer = systemClock.schedule(WAIT_MS_MAX, () => resolve([]), true);
    list().catch(() => []).then((keys) => {
      timer.cancel();
      resolve(keys);
    });
  });
}

async function keysOf(target: Target, options: ScanOptions): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of target.scan(options)) keys.push(key);
  return keys;
}
