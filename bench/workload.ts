/** The data that all benchmarks use: keys of 16 bytes in random order, and values. */

import { Buffer } from "node:buffer";
import { setTimeout as delay } from "node:timers/promises";

const KEY_DIGITS = 12;
const SEED = 0x2545f491;

/** The key with this number: 16 bytes. */
export function keyOf(number: number): string {
  return `key:${String(number).padStart(KEY_DIGITS, "0")}`;
}

/**
 * As {@link keyOf}, made of bytes: a string that is put together of others is only copied together at
 * its first use, which takes longer than many a store, and is nothing that is to be measured.
 */
export function flatKeyOf(number: number): string {
  return Buffer.from(keyOf(number), "latin1").toString("latin1");
}

/** Keys of 16 bytes that share a prefix, in an order that repeats but has no pattern. */
export function makeKeys(count: number): string[] {
  return shuffle(Array.from({ length: count }, (_, number) => flatKeyOf(number)), SEED);
}

/** The next keys of an order, made as a program gets them: by itself, and just before their use. */
export function nextKeys(order: NumberShuffle, count: number): string[] {
  return Array.from({ length: count }, () => flatKeyOf(order.next()));
}

/** Puts `items` into an order that only `seed` decides, and returns them. */
export function shuffle<Item>(items: Item[], seed: number): Item[] {
  let state = seed;
  for (let index = items.length - 1; index > 0; index--) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state ^= state << 7;
    const other = (state >>> 0) % (index + 1);
    const item = items[index]!;
    items[index] = items[other]!;
    items[other] = item;
  }
  return items;
}

/** A value of `byteLength` bytes. */
export function makeValue(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, index) => (index * 31) & 0xff);
}

/** Walks through all numbers below `count` once, in an order of its own for every `seed`. */
export class NumberShuffle {
  readonly #count: number;
  readonly #mask: number;
  readonly #shift: number;
  readonly #factor: number;
  #state = 0;

  constructor(count: number, seed: number) {
    const bits = Math.ceil(Math.log2(count + 1));
    this.#count = count;
    this.#mask = 2 ** bits - 1;
    this.#shift = bits >>> 1;
    this.#factor = (Math.imul(seed, 0x9e3779b1) << 2) | 1;
  }

  next(): number {
    let number: number;
    do {
      this.#state = (this.#state + 1) & this.#mask;
      // Each step is a bijection of the numbers up to the mask.
      number = Math.imul(this.#state, this.#factor) & this.#mask;
      number ^= number >>> this.#shift;
      number = Math.imul(number, 0x2c1b3c6d) & this.#mask;
      number ^= number >>> this.#shift;
    } while (number >= this.#count);
    return number;
  }
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<void> | void): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** How many a second, if `count` take so many milliseconds. */
export function perSecond(count: number, millis: number): number {
  return count / millis * 1000;
}

/** Lets what a task left behind come to its end: pages written back, memory collected. */
export function settle(): Promise<void> {
  return delay(50);
}
