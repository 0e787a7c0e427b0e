/**
 * Memory in large pages, where the system has them to give.
 *
 * Looking something up in gigabytes of memory takes as long to find out where a page is as to fetch
 * what is in it. With pages of 2 MiB the processor knows where most are. This is advice and no more:
 * whatever is in the way of it, nothing else is different.
 */

import process from "node:process";
import { bunFfi, type CFunction, loadLibc } from "./bun_ffi.ts";

const HUGE_PAGE_BYTES = 2 << 20;
const MADV_HUGEPAGE = 14;

let madviseOnce: CFunction | null | undefined;

/** Asks for large pages for memory that nobody has written to yet. Bun can, on Linux. */
export function adviseHugePages(memory: Int32Array): void {
  if (madviseOnce === undefined) madviseOnce = loadMadvise() ?? null;
  if (madviseOnce === null || memory.byteLength < HUGE_PAGE_BYTES) return;
  const begin = bunFfi().ptr(memory);
  // Only what is whole: the rest of the pages at both ends is somebody else's.
  const first = Math.ceil(begin / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
  const end = Math.floor((begin + memory.byteLength) / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
  // It fails where the system has no such pages, which is as good as having been heard.
  if (end > first) madviseOnce(first, end - first, MADV_HUGEPAGE);
}

function loadMadvise(): CFunction | undefined {
  if (!("Bun" in globalThis) || process.platform !== "linux") return undefined;
  return loadLibc({ madvise: { args: ["usize", "usize", "i32"], returns: "i32" } })?.madvise;
}
