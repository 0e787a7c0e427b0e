/** Two keys with the same hash are two keys, in the index and in flight. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey } from "../../lib/index/key_hash.ts";
import { failsWith } from "../support/kv_error.ts";
import { openInMemory, text } from "../support/test_store.ts";

/** The hash's seed is drawn at opening. */
const random = { fill: (bytes: Uint8Array) => void bytes.fill(0) };

/** Finds two keys whose hashes with the seed 0 are the same; of 300,000 there are some. */
function sameHash(): [string, string] {
  const seen = new Map<number, string>();
  for (let number = 0; number < 300_000; number++) {
    const key = `key ${number}`;
    const bytes = new TextEncoder().encode(key);
    const hash = hashKey(bytes, 0, bytes.length, 0);
    const other = seen.get(hash);
    if (other !== undefined) return [other, key];
    seen.set(hash, key);
  }
  throw new Error("no two keys have one hash");
}

test("two keys of one hash, in flight and in the index", async () => {
  const [first, second] = sameHash();
  await using store = await openInMemory({ random });
  const write = store.set(first, "1");
  await failsWith("NotFound", /does not exist/, () => store.deleteSync(second));
  await Promise.all([store.set(first, "2"), store.set(second, "3", { ifAbsent: true }), write]);
  assert.equal(text(store.getSync(first)), "2");
  assert.equal(text(store.getSync(second)), "3");
  await store.delete(second);
  assert.equal(text(store.getSync(first)), "2");
  assert.equal(store.size, 1);
});
