/** Listings against a sorted array, page by page, while others write. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Service } from "./service.ts";

const byBytes = (left: string, right: string) =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));

const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 })
  .filter((key) => key.isWellFormed());
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

test("listing: every key that is there throughout comes exactly once, in order", async () => {
  await using service = await Service.start({}, { durability: { bytes: 1 << 20, millis: 1000 } });
  const listing = fc.record({
    kept: fc.uniqueArray(key, { maxLength: 25 }),
    passing: fc.uniqueArray(key, { maxLength: 15 }),
    prefix: optional(fc.string({ unit: "grapheme", maxLength: 1 }).filter((s) => s.isWellFormed())),
    start: optional(key),
    end: optional(key),
    reverse: fc.boolean(),
    values: fc.boolean(),
    limit: fc.integer({ min: 1, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(listing, async (listing) => {
      const { kept, prefix = "", start, end, reverse, values, limit } = listing;
      const { store } = service;
      for await (const { key } of store.scan({ values: false })) await store.delete(key);
      const passing = listing.passing.filter((key) => !kept.includes(key));
      for (const key of kept) await store.set(key, `of ${key}`);

      const query = new URLSearchParams({ limit: String(limit) });
      if (listing.prefix !== undefined) query.set("prefix", prefix);
      if (start !== undefined) query.set("start", start);
      if (end !== undefined) query.set("end", end);
      if (reverse) query.set("reverse", "1");
      if (values) query.set("values", "1");
      const seen: string[] = [];
      for (let pages = 0; pages < 100; pages++) {
        const page = await (await service.ask("GET", `/v1/kv?${query}`)).json();
        assert(page.entries.length <= limit);
        for (const entry of page.entries) {
          if (values) assert.equal(entry.value, `of ${entry.key}`);
          seen.push(entry.key);
        }
        assert.equal(page.complete, page.cursor === null);
        if (page.complete) break;
        query.set("cursor", page.cursor);
        // Others come and go, and what stays is written again.
        for (const [index, key] of passing.entries()) {
          if ((index + pages) % 2 === 0) await store.set(key, `of ${key}`);
          else if (store.has(key)) await store.delete(key);
        }
        for (const key of kept) await store.set(key, `of ${key}`);
      }
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort(byBytes).map((_, i, all) => all[reverse ? all.length - 1 - i : i]),
        "in order, and none twice",
      );
      const fits = (key: string) =>
        key.startsWith(prefix) && (start === undefined || byBytes(key, start) >= 0) &&
        (end === undefined || byBytes(key, end) < 0);
      assert(seen.every(fits), "nothing beyond the bounds");
      const keptSeen = seen.filter((key) => kept.includes(key)).sort(byBytes);
      assert.deepEqual(keptSeen, kept.filter(fits).sort(byBytes));
    }),
    { numRuns: 150 },
  );
});
