/** The checker itself: on histories broken by hand, and against every order there is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../support/seeded_random.ts";
import { findViolation } from "./checker.ts";
import { isLinearizableByTrial } from "./exhaustive.ts";
import { type Action, describe, type Operation, type Result } from "./operation.ts";
import { divide } from "./partition.ts";
import { randomHistory } from "./random_history.ts";
import { search } from "./search.ts";
import { forEachSeed } from "./seeds.ts";
import { findVersionDisorder } from "./version_order.ts";

const HISTORIES = 6000;

type Line = [call: number, end: number, action: Action, result?: Result];

const get = (key = "k"): Action => ({ kind: "get", key });
const set = (value: string, key = "k"): Action => ({ kind: "set", key, value });
const del = (key = "k"): Action => ({ kind: "delete", key });
const setIf = (value: string, ifVersion: number): Action => ({
  kind: "set",
  key: "k",
  value,
  condition: { ifVersion },
});
const create = (value: string): Action => ({
  kind: "set",
  key: "k",
  value,
  condition: { ifAbsent: true },
});
const batch = (changes: Record<string, string | undefined>): Action => ({
  kind: "batch",
  changes: Object.entries(changes).map(([key, value]) => ({ key, value })),
  checks: [],
});
const update = (reads: string[], changes: Record<string, string | undefined> = {}): Action => ({
  kind: "update",
  reads,
  changes: Object.entries(changes).map(([key, value]) => ({ key, value })),
});
/** What an update was told, of each key its value and version. */
const saw = (
  version: number | undefined,
  seen: Record<string, [string, number?] | []>,
): Result => ({
  kind: "done",
  version,
  seen: Object.entries(seen).map(([key, [value, version]]) => ({ key, value, version })),
});
const done = (version?: number): Result => ({ kind: "done", version });
const found = (value: string, version?: number): Result => ({ kind: "found", value, version });
const missing: Result = { kind: "missing" };
const refused: Result = { kind: "refused" };

function history(lines: Line[]): Operation[] {
  return lines.map(([call, end, action, result], client) => ({
    client,
    action,
    call,
    end,
    result,
  }));
}

const sound: Record<string, Line[]> = {
  "nothing": [],
  "a read while a write runs sees either": [
    [1, 2, set("a"), done(1)],
    [3, 10, set("b"), done(2)],
    [4, 5, get(), found("a", 1)],
    [6, 7, get(), found("b", 2)],
  ],
  "an unknown write took effect late": [
    [1, 2, set("a"), done(1)],
    [3, Infinity, set("b")],
    [4, 5, get(), found("a", 1)],
    [6, 7, set("c"), done(2)],
    [8, 9, get(), found("b", 3)],
  ],
  "an unknown write never took effect": [
    [1, Infinity, set("a")],
    [2, 3, get(), missing],
    [4, 5, create("b"), done(1)],
  ],
  "an unknown delete is what a refused write saw": [
    [1, 2, set("a"), done(1)],
    [3, Infinity, del()],
    [4, 5, setIf("b", 1), refused],
    [6, 7, get(), missing],
  ],
  "a batch deletes and sets": [
    [1, 2, batch({ k: "a", l: "b" }), done(2)],
    [3, 4, batch({ k: undefined, l: "c" }), done(4)],
    [5, 6, get(), missing],
    [7, 8, get("l"), found("c", 4)],
  ],
  "an update writes on top of what it saw": [
    [1, 2, set("a"), done(1)],
    [3, 6, update(["k", "l"], { l: "b" }), saw(2, { k: ["a", 1], l: [] })],
    [4, 5, update(["k", "l"], { k: "c" }), saw(3, { k: ["a", 1], l: ["b", 2] })],
    [7, 8, update(["k"]), saw(undefined, { k: ["c", 3] })],
  ],
  "an update tells the version of an unknown write": [
    [1, Infinity, set("a")],
    [2, 3, update(["k"]), saw(undefined, { k: ["a", 4] })],
    [4, 5, setIf("b", 4), done(5)],
  ],
  "an unknown batch is seen with both its versions": [
    [1, Infinity, batch({ k: "a", l: "b" })],
    [2, 3, get(), found("a", 7)],
    [4, 5, get("l"), found("b", 8)],
    [6, 7, setIf("c", 7), done(9)],
  ],
};

const broken: Record<string, Line[]> = {
  "a stale read": [
    [1, 2, set("a"), done(1)],
    [3, 4, set("b"), done(2)],
    [5, 6, get(), found("a", 1)],
  ],
  "reads that go back, while a write runs": [
    [1, 2, set("a"), done(1)],
    [3, 10, set("b"), done(2)],
    [4, 5, get(), found("b", 2)],
    [6, 7, get(), found("a", 1)],
  ],
  "a lost update": [
    [1, 2, set("a"), done(1)],
    [3, 4, setIf("b", 1), done(2)],
    [5, 6, get(), found("a", 1)],
  ],
  "a read of a value that was never written": [
    [1, 2, set("a"), done(1)],
    [3, 4, get(), found("x", 2)],
  ],
  "a read of a value before it is written": [
    [1, 2, get(), found("a", 1)],
    [3, 4, set("a"), done(1)],
  ],
  "a read of a value after its delete": [
    [1, 2, set("a"), done(1)],
    [3, 4, del(), done(2)],
    [5, 6, get(), found("a", 1)],
  ],
  "a read of another version than was written": [
    [1, 2, set("a"), done(1)],
    [3, 4, get(), found("a", 2)],
  ],
  "a compare-and-set that succeeded twice": [
    [1, 2, set("a"), done(1)],
    [3, 6, setIf("b", 1), done(2)],
    [4, 5, setIf("c", 1), done(3)],
  ],
  "a key created twice": [
    [1, 4, create("a"), done(1)],
    [2, 3, create("b"), done(2)],
  ],
  "a compare-and-set refused although nothing else was written": [
    [1, 2, set("a"), done(1)],
    [3, 4, setIf("b", 1), refused],
  ],
  "a key deleted twice": [
    [1, 2, set("a"), done(1)],
    [3, 6, del(), done(2)],
    [4, 5, del(), done(3)],
  ],
  "two updates on top of the same value": [
    [1, 2, set("a"), done(1)],
    [3, 6, update(["k"], { k: "b" }), saw(2, { k: ["a", 1] })],
    [4, 5, update(["k"], { k: "c" }), saw(3, { k: ["a", 1] })],
  ],
  "a write between what an update read and what it wrote": [
    [1, 2, set("a"), done(1)],
    [3, 6, update(["k"], { l: "b" }), saw(3, { k: ["a", 1] })],
    [4, 5, set("c"), done(2)],
  ],
  "an update that saw another version than was written": [
    [1, 2, set("a"), done(1)],
    [3, 4, update(["k"]), saw(undefined, { k: ["a", 2] })],
  ],
  "an update that saw half a batch": [
    [1, 2, batch({ k: "a", l: "b" }), done(2)],
    [3, 6, batch({ k: "c", l: "d" }), done(4)],
    [4, 5, update(["k", "l"]), saw(undefined, { k: ["c", 3], l: ["b", 2] })],
  ],
  "an unknown write seen by an update, then lost in a crash": [
    [1, Infinity, set("a")],
    [2, 3, update(["k"]), saw(undefined, { k: ["a", 1] })],
    [4, 5, get(), missing],
  ],
  "half a batch seen": [
    [1, 2, batch({ k: "a", l: "b" }), done(2)],
    [3, 10, batch({ k: "c", l: "d" }), done(4)],
    [4, 5, get(), found("c", 3)],
    [6, 7, get("l"), found("b", 2)],
  ],
  "half an unknown batch kept": [
    [1, Infinity, batch({ k: "a", l: "b" })],
    [2, 3, get(), found("a", 1)],
    [4, 5, get("l"), missing],
  ],
  "a value resurrected after a crash": [
    [1, 2, set("a"), done(1)],
    [3, 4, del(), done(2)],
    [5, Infinity, set("b")],
    [6, 7, get(), missing],
    [8, 9, get(), found("a", 1)],
  ],
  "an unknown write seen, then lost in a crash": [
    [1, 2, set("a"), done(1)],
    [3, Infinity, set("b")],
    [4, 5, get(), found("b", 2)],
    [6, 7, get(), found("a", 1)],
  ],
  "an acknowledged write lost in a crash": [
    [1, 2, set("a"), done(1)],
    [3, 4, get(), missing],
  ],
  "a refusal for a write that was lost": [
    [1, Infinity, set("a")],
    [2, 3, create("b"), refused],
    [4, 5, get(), missing],
  ],
  "versions that go down, on another key": [
    [1, 2, set("a"), done(5)],
    [3, 4, set("b", "l"), done(4)],
  ],
  "two writes of one version": [
    [1, 4, set("a"), done(5)],
    [2, 3, set("b", "l"), done(5)],
  ],
};

for (const [name, lines] of Object.entries(sound)) {
  test(`has an order: ${name}`, () => {
    assert.equal(findViolation(history(lines)), undefined);
    assert(isLinearizableByTrial(history(lines)));
  });
}

for (const [name, lines] of Object.entries(broken)) {
  test(`has no order: ${name}`, () => {
    assert.notEqual(findViolation(history(lines)), undefined);
  });
}

test("a violation is shown by its key, and by no more operations than needed", () => {
  const idle = Array.from({ length: 50 }, (_, index): Line => [
    100 + 2 * index,
    101 + 2 * index,
    get(),
    found("a", 1),
  ]);
  assert.equal(
    findViolation(history([
      [1, 2, set("a"), done(1)],
      [3, 4, set("x", "other"), done(2)],
      ...idle,
      [300, 303, get(), found("z", 9)],
      [304, 305, set("b"), done(3)],
    ])),
    [
      'not linearizable: "k"; 52 of 53 operations show it, ' +
      "of which 50 are left out here as they change nothing",
      "the longest order that is possible:",
      "  1–2         client 0   set k = a -> done @1",
      "then the state is: 1 k=a@1 (newest version, then key=value@version)",
      "and these have no place after it:",
      "  300–303     client 52  get k -> z @9",
    ].join("\n"),
  );
});

test("a value written twice is refused: reads would not tell whose it is", () => {
  assert.throws(
    () => findViolation(history([[1, 2, set("a"), done(1)], [3, 4, set("a"), done(2)]])),
    /The value a is written twice/,
  );
});

test("a long history with many unknown outcomes is decided", () => {
  const lines: Line[] = [];
  for (let index = 0; index < 3000; index++) {
    const time = index * 4;
    if (index % 150 === 0) lines.push([time, Infinity, set(`lost ${index}`)]);
    else if (index % 2 === 0) lines.push([time, time + 9, set(`${index}`), done(index)]);
    else lines.push([time + 8, time + 9, get(), found(`${index - 1}`, index - 1)]);
  }
  const kept = lines.filter(([, , action, result]) =>
    action.kind !== "get" || result?.kind !== "found" || Number(result.value) % 150 !== 0
  );
  assert.equal(findViolation(history(kept)), undefined);
});

test("agrees with the trial of every order, on random histories", () => {
  let linearizable = 0;
  const seeds = forEachSeed(HISTORIES, (seed) => {
    const operations = randomHistory(new SeededRandom(seed));
    const shown = operations.map(describe).join("\n");
    const expected = isLinearizableByTrial(operations);
    const { verdict, order } = search(operations.toSorted((a, b) => a.call - b.call));
    assert.equal(verdict, expected ? "linearizable" : "violation", shown);
    if (expected) {
      linearizable++;
      assertOrdered(order, operations);
    }
    // By parts less is seen: not that versions ascend over all keys, unless by the clock alone.
    const byParts = divide(operations).every((part) => isLinearizableByTrial(part.operations)) &&
      findVersionDisorder(operations) === undefined;
    assert.equal(findViolation(operations) === undefined, byParts, shown);
    assert(byParts || !expected, shown);
  });
  if (seeds > 100) assert(linearizable > seeds / 4 && linearizable < seeds * 3 / 4);
});

/** An order must have all that returned, and nothing before what had returned when it was called. */
function assertOrdered(order: readonly Operation[], operations: readonly Operation[]): void {
  order.forEach((operation, index) =>
    assert(order.slice(index).every(({ end }) => end >= operation.call))
  );
  assert(operations.every((each) => each.result === undefined || order.includes(each)));
}
