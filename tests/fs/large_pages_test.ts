/** Memory that is made of large pages by another thread: nothing else about it is different. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { bunFfi } from "../../lib/fs/bun_ffi.ts";
import { LargePages } from "../../lib/fs/large_pages.ts";
import { testUnless } from "../support/test_unless.ts";

const SLAB_BYTES = 16 << 20;
const LARGE_PAGE_BYTES = 2 << 20;

const withoutLargePages = !("Bun" in globalThis)
  ? "only Bun calls the system"
  : process.platform !== "linux" || !existsSync("/sys/kernel/mm/transparent_hugepage")
  ? "needs Linux with transparent large pages"
  : undefined;

/** Bytes of the memory behind `view` for which the system was asked for large pages. */
function advisedBytes(view: Int32Array): number {
  const begin = bunFfi().ptr(view);
  const end = begin + view.byteLength;
  let bytes = 0;
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/\n(?=[\da-f]+-[\da-f]+ )/);
  for (const mapping of mappings) {
    if (!/^VmFlags:.* hg( |$)/m.test(mapping)) continue;
    const [from, to] = mapping.slice(0, mapping.indexOf(" ")).split("-")
      .map((address) => parseInt(address, 16));
    bytes += Math.max(0, Math.min(end, to!) - Math.max(begin, from!));
  }
  return bytes;
}

/** Blocks until it is ready, so that no callback has a turn. */
function waitFor(pages: LargePages): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; !pages.isReady(); waits++) {
    assert(waits < 30_000, "never ready");
    Atomics.wait(cell, 0, 0, 1);
  }
}

testUnless(withoutLargePages, "a slab gets all large pages that fit in, and holds zeros", () => {
  for (
    const buffer of [
      new SharedArrayBuffer(SLAB_BYTES),
      new SharedArrayBuffer(SLAB_BYTES, { maxByteLength: 4 * SLAB_BYTES }),
    ]
  ) {
    for (const offset of [0, 8]) {
      const slab = new Int32Array(buffer, offset, SLAB_BYTES / 4 - offset);
      const pages = LargePages.prepare(slab);
      assert(pages !== undefined);
      waitFor(pages);
      const bytes = advisedBytes(slab);
      assert(bytes > SLAB_BYTES - 2 * LARGE_PAGE_BYTES && bytes <= SLAB_BYTES, `${bytes} bytes`);
      assert(slab.every((word) => word === 0));
    }
  }
});

testUnless(
  withoutLargePages,
  "nothing is written to a slab that was said to be ready",
  async () => {
    const slab = new Int32Array(new SharedArrayBuffer(SLAB_BYTES));
    const pages = LargePages.prepare(slab)!;
    waitFor(pages);
    slab.fill(-1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert(pages.isReady());
    assert(slab.every((word) => word === -1));
  },
);

testUnless(
  withoutLargePages,
  "pages are touched one at a time, and only when somebody asks",
  async () => {
    const buffer = new SharedArrayBuffer(SLAB_BYTES);
    // Wherever the system begins the memory: its large pages do not begin where the slab does.
    for (const offset of [0, 8, 1024]) {
      const slab = new Int32Array(buffer, 4 * offset);
      slab.fill(0);
      const pages = LargePages.prepare(slab)!;
      const touched = () => slab.reduce((count, word) => count + (word === 0 ? 0 : 1), 0);
      // A bound of its own: what goes on after a test was given up slows down all that follow.
      for (let turns = 0; touched() === 0; turns++) {
        assert(turns < 1000, "nothing was ever touched");
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      // Once asked, it may be through before the answer: another thread touches.
      assert.equal(touched(), 1);
      waitFor(pages);
    }
  },
);

testUnless(withoutLargePages, "a slab that cannot be touched is ready as it is", async () => {
  for (const source of ["/dev/null", "/proc/version/none", "/proc"]) {
    const slab = new Int32Array(new SharedArrayBuffer(SLAB_BYTES));
    const pages = LargePages.prepare(slab, source)!;
    for (let turns = 0; !pages.isReady(); turns++) {
      assert(turns < 30_000, "never ready");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert(slab.every((word) => word === 0));
  }
});

test("memory that has no room for a large page is left as it is", () => {
  for (const bytes of [0, 4096, LARGE_PAGE_BYTES - 4]) {
    assert.equal(LargePages.prepare(new Int32Array(new SharedArrayBuffer(bytes))), undefined);
  }
});

testUnless(
  withoutLargePages === undefined ? "there are large pages here" : undefined,
  "where large pages cannot be had nothing is begun",
  () => {
    assert.equal(LargePages.prepare(new Int32Array(new SharedArrayBuffer(SLAB_BYTES))), undefined);
  },
);
