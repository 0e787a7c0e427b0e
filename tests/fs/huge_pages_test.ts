/** Memory that large pages were asked for: only what is whole of it, and nothing else is different. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { bunFfi } from "../../lib/fs/bun_ffi.ts";
import { adviseHugePages } from "../../lib/fs/huge_pages.ts";
import { testUnless } from "../support/test_unless.ts";

const SLAB_BYTES = 16 << 20;
const HUGE_PAGE_BYTES = 2 << 20;

/** Bytes of the memory behind `view` for which the system was asked for large pages. */
function advisedBytes(view: Int32Array): number {
  const begin = bunFfi().ptr(view);
  const end = begin + view.byteLength;
  let bytes = 0;
  for (
    const mapping of readFileSync("/proc/self/smaps", "utf8").split(/\n(?=[\da-f]+-[\da-f]+ )/)
  ) {
    const [from, to] = mapping.slice(0, mapping.indexOf(" ")).split("-")
      .map((address) => parseInt(address, 16));
    if (!/^VmFlags:.* hg( |$)/m.test(mapping)) continue;
    bytes += Math.max(0, Math.min(end, to!) - Math.max(begin, from!));
  }
  return bytes;
}

const withoutHugePages = !("Bun" in globalThis)
  ? "only Bun calls the system"
  : process.platform !== "linux" || !existsSync("/sys/kernel/mm/transparent_hugepage")
  ? "needs Linux with transparent large pages"
  : undefined;

testUnless(withoutHugePages, "memory of a slab gets large pages, all that fit in", () => {
  for (
    const buffer of [
      new SharedArrayBuffer(SLAB_BYTES),
      new SharedArrayBuffer(SLAB_BYTES, { maxByteLength: 4 * SLAB_BYTES }),
    ]
  ) {
    const slab = new Int32Array(buffer, 0, SLAB_BYTES / 4);
    adviseHugePages(slab);
    const bytes = advisedBytes(slab);
    assert(bytes > SLAB_BYTES - 2 * HUGE_PAGE_BYTES && bytes <= SLAB_BYTES, `${bytes} bytes`);
    assert(slab.every((word) => word === 0));
  }
});

test("memory that is too short for one, or empty, is left as it is", () => {
  for (const bytes of [0, 4096, HUGE_PAGE_BYTES - 4]) {
    const slab = new Int32Array(new SharedArrayBuffer(bytes));
    adviseHugePages(slab);
    assert(slab.every((word) => word === 0));
  }
});
