/** Tables of calls that a store must refuse, having done nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvErrorCode } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { failsWith } from "./kv_error.ts";
import { TestClock } from "./test_clock.ts";
import { assertExact, DURABILITIES, logBytes, openInMemory, scanAll, text } from "./test_store.ts";

/** A call, and the error that it must end with. */
export type Refusal = [
  name: string,
  code: KvErrorCode,
  message: RegExp,
  call: (store: KvStore) => unknown,
];

/** Something that is not what the types say, as a caller without type checking may pass it. */
// deno-lint-ignore no-explicit-any
export const wrong = (value: unknown): any => value;

/** What is neither text nor bytes. */
export const NOT_TEXT = [null, undefined, 5, {}, [], true, new ArrayBuffer(3), Symbol("s")];

/** Each call is refused, nothing is written, and the store is as usable as before. */
export function testRefusals(what: string, cases: readonly Refusal[]): void {
  for (const [name, durability] of DURABILITIES) {
    test(`${name}: ${what}, ${cases.length} cases`, async () => {
      const fs = new MemoryFileSystem();
      const clock = new TestClock();
      await using store = await openInMemory({ durability, clock, valueBytesMax: 2000 }, fs);
      await store.set("a", "1");
      await store.set("b", "2");
      await store.delete("b");
      await store.flush();
      const before = store.stats();
      const bytesBefore = logBytes(fs);
      const failures: string[] = [];
      for (const [name, code, message, call] of cases) {
        try {
          await failsWith(code, message, () => call(store));
          assert.deepEqual(store.stats(), before);
        } catch (error) {
          failures.push(`${name}: ${(error as Error).message}`);
        }
      }
      assert.deepEqual(failures, []);
      await store.flush();
      assert.equal(logBytes(fs), bytesBefore);
      assert.deepEqual(
        (await scanAll(store)).map(({ key, value }) => [key, text(value)]),
        [["a", "1"]],
      );
      await store.set("n", "v");
      assert.equal(text(await store.get("n")), "v");
      await assertExact(store, fs);
    });
  }
}
