/** An iterator over pages does what an async generator over the same items does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PagedIterator } from "../../lib/store/paged_iterator.ts";

/** Pages of these items, and then the error, if there is one. */
function iterate(pages: readonly number[][], error?: Error): PagedIterator<number> {
  const left = [...pages];
  return new PagedIterator(async () => {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    const page = left.shift();
    if (page === undefined && error !== undefined) throw error;
    return page;
  });
}

async function* generate(pages: readonly number[][], error?: Error): AsyncGenerator<number> {
  for (const page of pages) {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    for (const item of page) yield item;
  }
  if (error !== undefined) throw error;
}

type Call = "next" | "return" | "throw";

/** What the calls come to, in the order in which they do; begun at once, or one after the other. */
async function outcomes(
  iterator: PagedIterator<number> | AsyncGenerator<number>,
  calls: readonly Call[],
  atOnce: boolean,
): Promise<string[]> {
  const seen: string[] = [];
  const run = async (call: Call, index: number) => {
    try {
      const result = call === "throw"
        ? await iterator.throw(new Error("thrown in"))
        : call === "return"
        ? await (iterator.return as () => Promise<IteratorResult<number>>).call(iterator)
        : await iterator.next();
      seen.push(`${index}: ${result.done} ${result.value}`);
    } catch (error) {
      seen.push(`${index}: ${error}`);
    }
  };
  if (atOnce) await Promise.all(calls.map(run));
  else for (const [index, call] of calls.entries()) await run(call, index);
  return seen;
}

const SEQUENCES: readonly Call[][] = [
  ["next", "next", "next", "next", "next", "next", "next", "next"],
  ["next", "next", "return", "next", "return"],
  ["return", "next"],
  ["next", "throw", "next", "next"],
  ["throw", "next"],
  ["next", "next", "next", "next", "throw", "return", "next"],
];

for (const atOnce of [false, true]) {
  for (const error of [undefined, new Error("from a page")]) {
    const how = `${atOnce ? "called at once" : "in turn"}${error === undefined ? "" : ", failing"}`;
    test(`it answers as a generator does, ${how}`, async () => {
      for (const pages of [[], [[1]], [[1, 2, 3], [4], [5, 6]]]) {
        for (const calls of SEQUENCES) {
          const expected = await outcomes(generate(pages, error), calls, atOnce);
          assert.deepEqual(await outcomes(iterate(pages, error), calls, atOnce), expected);
        }
      }
    });
  }
}

test("it works with for await, ends when that is left, and with await using", async () => {
  const seen: number[] = [];
  const iterator = iterate([[1, 2], [3]]);
  for await (const item of iterator) {
    seen.push(item);
    if (item === 2) break;
  }
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  const other = iterate([[1, 2]]);
  {
    await using scope = other;
    await scope.next();
  }
  assert.deepEqual(await other.next(), { done: true, value: undefined });
});

test("an item of a page that is there needs no further page", async () => {
  let pages = 0;
  const iterator = new PagedIterator(() => Promise.resolve(pages++ === 0 ? [1, 2, 3] : undefined));
  for (const item of [1, 2, 3]) assert.equal((await iterator.next()).value, item);
  assert.equal(pages, 1);
  assert.equal((await iterator.next()).done, true);
  assert.equal((await iterator.next()).done, true);
  assert.equal(pages, 2);
});

test("a call overtakes none that waits, although its item would be there", async () => {
  const iterator = iterate([[1, 2, 3, 4, 5]]);
  const calls = [iterator.next(), iterator.next(), iterator.next()];
  await calls[0];
  calls.push(iterator.next());
  assert.deepEqual((await Promise.all(calls)).map(({ value }) => value), [1, 2, 3, 4]);
});
