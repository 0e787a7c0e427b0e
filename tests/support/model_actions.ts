/** Actions of the model test: how fast-check makes them up. */

import fc from "fast-check";
/** Keys that are neighbours in several ways: prefixes of each other, long, of many bytes. */
export const KEYS: readonly string[] = [
  "\u0000",
  "a",
  "a\u0000",
  "aa",
  "ab",
  "b",
  "é",
  "世",
  "😀",
  "k".repeat(900),
  "k".repeat(901),
];

const VALUE_LENGTHS = [0, 1, 30, 200, 1000, 1999, 5000];

/** A value by what `pattern` makes it from, so that a failure can be read. */
export interface Value {
  length: number;
  seed: number;
}

/** How a condition is chosen when the action is taken: it depends on what is there then. */
export type Condition = "none" | "absent" | "current" | "stale";

/** One operation of a batch. */
export interface BatchStep {
  kind: "set" | "del";
  key: string;
  value: Value;
  ttl: number | undefined;
}

/** Something to do to a store and to its model. */
export type Action =
  | {
    do: "set";
    key: string;
    value: Value;
    ttl: number | undefined;
    condition: Condition;
    form: Form;
  }
  | { do: "delete"; key: string; condition: Condition; form: Form }
  | { do: "batch"; steps: BatchStep[]; checks: [string, Condition][]; form: Form }
  | { do: "get"; key: string }
  | {
    do: "scan";
    prefix: string | undefined;
    start: string | undefined;
    end: string | undefined;
    limit: number | undefined;
    reverse: boolean;
  }
  | { do: "advance"; ms: number }
  | { do: "compact"; wait: boolean }
  | { do: "flush" }
  | { do: "examine" }
  | { do: "reopen" }
  | { do: "reopenReadOnly" };

/** Whether a write is waited for, left in flight, or made by the blocking call. */
export type Form = "wait" | "leave" | "sync";

const key = fc.constantFrom(...KEYS);
const value = fc.record({ length: fc.constantFrom(...VALUE_LENGTHS), seed: fc.nat(255) });
const ttl = fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined, freq: 2 });
const form = fc.constantFrom<Form>("wait", "leave", "leave", "sync");
const condition = fc.constantFrom<Condition>("none", "none", "none", "absent", "current", "stale");
const bound = fc.option(fc.constantFrom("", "a", "aa", "b", "é", "k", "z", "😀"), {
  nil: undefined,
});

const batchStep: fc.Arbitrary<BatchStep> = fc.record({
  kind: fc.constantFrom("set", "set", "del"),
  key,
  value,
  ttl,
});

/** Any action, the common ones more often. */
export const anyAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant("set"), key, value, ttl, condition, form }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("delete"), key, condition, form }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("batch"),
      steps: fc.array(batchStep, { maxLength: 6 }),
      checks: fc.array(fc.tuple(key, condition), { maxLength: 2 }),
      form,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("get"), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("scan"),
      prefix: bound,
      start: bound,
      end: bound,
      limit: fc.option(fc.nat(6), { nil: undefined }),
      reverse: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance"), ms: fc.nat(200) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("compact"), wait: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant<Action>({ do: "flush" }) },
  { weight: 2, arbitrary: fc.constant<Action>({ do: "examine" }) },
  { weight: 2, arbitrary: fc.constant<Action>({ do: "reopen" }) },
  { weight: 1, arbitrary: fc.constant<Action>({ do: "reopenReadOnly" }) },
) as fc.Arbitrary<Action>;
