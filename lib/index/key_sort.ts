/** Sorts record addresses by the bytes of their keys: a merge sort without comparison closures. */

import { SLAB_MASK, SLAB_SHIFT } from "./page_pool.ts";
import { compareKeys, keyLengthAt, keyStartAt } from "./record_layout.ts";

/** Runs of this length are sorted by insertion before merging. */
const RUN_LENGTH = 8;

/**
 * Sorts the first `count` of `addresses`; `scratch` is at least as long. Returns the one of the two
 * arrays that holds the result.
 */
export function sortByKey(
  slabs: Int32Array[],
  addresses: Int32Array,
  scratch: Int32Array,
  count: number,
): Int32Array {
  for (let start = 0; start < count; start += RUN_LENGTH) {
    sortRun(slabs, addresses, start, Math.min(start + RUN_LENGTH, count));
  }
  let source = addresses;
  let target = scratch;
  for (let length = RUN_LENGTH; length < count; length *= 2) {
    for (let start = 0; start < count; start += length * 2) {
      const middle = Math.min(start + length, count);
      mergeRuns(slabs, source, target, start, middle, Math.min(middle + length, count));
    }
    const merged = target;
    target = source;
    source = merged;
  }
  return source;
}

/** Compares the keys of two records in byte order: negative, 0 or positive. */
function compareRecords(slabs: Int32Array[], left: number, right: number): number {
  const leftView = slabs[left >>> SLAB_SHIFT]!;
  const leftAt = left & SLAB_MASK;
  const rightView = slabs[right >>> SLAB_SHIFT]!;
  const rightAt = right & SLAB_MASK;
  return compareKeys(
    leftView,
    keyStartAt(leftView, leftAt),
    keyLengthAt(leftView, leftAt),
    rightView,
    keyStartAt(rightView, rightAt),
    keyLengthAt(rightView, rightAt),
  );
}

function sortRun(slabs: Int32Array[], addresses: Int32Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const address = addresses[i]!;
    let to = i;
    while (to > start && compareRecords(slabs, addresses[to - 1]!, address) > 0) {
      addresses[to] = addresses[to - 1]!;
      to--;
    }
    addresses[to] = address;
  }
}

function mergeRuns(
  slabs: Int32Array[],
  source: Int32Array,
  target: Int32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let left = start;
  let right = middle;
  for (let to = start; to < end; to++) {
    const takeLeft = right === end ||
      (left < middle && compareRecords(slabs, source[left]!, source[right]!) <= 0);
    target[to] = takeLeft ? source[left++]! : source[right++]!;
  }
}
