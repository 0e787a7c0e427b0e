/** Whatever an operation is given that it cannot use: an error that says so, and nothing written. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { NOT_TEXT, type Refusal, testRefusals, wrong } from "../support/refusals.ts";
import { openInMemory } from "../support/test_store.ts";

const NOT_OBJECTS = [null, 5, "x", true].map((value) => [String(value), wrong(value)] as const);
const withTtl = (ttl: unknown): Refusal[] => {
  const message = /Option ttl is .+: it must be a number of milliseconds: an integer from 1 to \d+/;
  const options = wrong({ ttl });
  return [
    [`ttl ${String(ttl)}`, "InvalidArgument", message, (store) => store.set("n", "v", options)],
    [
      `ttl ${String(ttl)} in a batch`,
      "InvalidArgument",
      message,
      (store) => store.batch([{ op: "set", key: "n", value: "v", ...options }]),
    ],
  ];
};

const withExpiresAt = (expiresAt: unknown): Refusal[] => {
  const message = /Option expiresAt is .+: it must be a time in milliseconds since the epoch/;
  const options = wrong({ expiresAt });
  return [
    [
      `expiresAt ${String(expiresAt)}`,
      "InvalidArgument",
      message,
      (store) => store.setSync("n", "v", options),
    ],
    [
      `expiresAt ${String(expiresAt)} in a batch`,
      "InvalidArgument",
      message,
      (store) => store.batchSync([{ op: "set", key: "n", value: "v", ...options }]),
    ],
  ];
};

const BAD_TIMES = [0, -1, 1.5, NaN, Infinity, -Infinity, 8_640_000_000_000_001, "5", null, {}, 5n];
const BAD_VERSIONS = [0, -1, 1.5, NaN, Infinity, 2 ** 53, "1", {}, 1n];

const cases: Refusal[] = [
  ...BAD_TIMES.flatMap(withTtl),
  ...BAD_TIMES.flatMap(withExpiresAt),
  ...NOT_TEXT.flatMap((value): Refusal[] => [
    [
      `value ${typeof value}`,
      "InvalidArgument",
      /Value of key "n" is .+: pass a string/,
      (store) => store.set("n", wrong(value)),
    ],
    [
      `batch value ${typeof value}`,
      "InvalidArgument",
      /Value of key "n" is/,
      (store) => store.batch([{ op: "set", key: "n", value: wrong(value) }]),
    ],
  ]),
  ...["v".repeat(2001), "é".repeat(1001), new Uint8Array(2001), "x".repeat(5000)].flatMap(
    (value, i): Refusal[] => [
      [`value too large ${i}`, "ValueTooLarge", /"n" has \d+ bytes: at most 2000.*valueBytesMax/, (
        store,
      ) => store.set("n", value)],
      [
        `value too large ${i}, expiring`,
        "ValueTooLarge",
        /valueBytesMax/,
        (store) => store.setSync("n", value, { ttl: 1000 }),
      ],
      [
        `value too large ${i}, in a batch`,
        "ValueTooLarge",
        /valueBytesMax/,
        (store) =>
          store.batch([{ op: "set", key: "m", value: "v" }, { op: "set", key: "n", value }]),
      ],
    ],
  ),
  [
    "both ttl and expiresAt",
    "InvalidArgument",
    /ttl and expiresAt exclude each other/,
    (store) => store.set("n", "v", { ttl: 5, expiresAt: 5 }),
  ],
  [
    "both in a batch",
    "InvalidArgument",
    /ttl and expiresAt exclude each other/,
    (store) => store.batch([{ op: "set", key: "n", value: "v", ttl: 5, expiresAt: 5 }]),
  ],
  [
    "both conditions",
    "InvalidArgument",
    /ifAbsent and ifVersion exclude each other/,
    (store) => store.set("n", "v", { ifAbsent: true, ifVersion: 1 }),
  ],
  [
    "ifAbsent of 1",
    "InvalidArgument",
    /ifAbsent is 1: it must be true or false/,
    (store) => store.set("n", "v", { ifAbsent: wrong(1) }),
  ],
  ...[...BAD_VERSIONS, null].flatMap((version): Refusal[] => [
    [`ifVersion ${String(version)}`, "InvalidArgument", /ifVersion is .+ it must be a version/, (
      store,
    ) => store.set("a", "v", { ifVersion: wrong(version) })],
    [
      `delete ifVersion ${String(version)}`,
      "InvalidArgument",
      /ifVersion is .+ version/,
      (store) => store.delete("a", { ifVersion: wrong(version) }),
    ],
  ]),
  ...[...BAD_VERSIONS, undefined].map((version): Refusal => [
    `check version ${String(version)}`,
    "InvalidArgument",
    /checks\[1\]\.version is/,
    (store) =>
      store.batch([{ op: "set", key: "n", value: "v" }], {
        checks: [{ key: "zzz", version: null }, { key: "a", version: wrong(version) }],
      }),
  ]),
  ...NOT_OBJECTS.flatMap(([name, value]): Refusal[] => [
    [
      `set options ${name}`,
      "InvalidArgument",
      /Options are/,
      (store) => store.set("n", "v", value),
    ],
    [
      `delete options ${name}`,
      "InvalidArgument",
      /Options are/,
      (store) => store.delete("a", value),
    ],
    [`batch options ${name}`, "InvalidArgument", /Options are/, (store) => store.batch([], value)],
    [`scan options ${name}`, "InvalidArgument", /Options are/, (store) => store.scan(value)],
    [`batch ops ${name}`, "InvalidArgument", /ops is .+ an array/, (store) => store.batch(value)],
    [
      `batch op ${name}`,
      "InvalidArgument",
      /ops\[0\] is .+ an object/,
      (store) => store.batch([value]),
    ],
    [
      `batch checks ${name}`,
      "InvalidArgument",
      /checks is .+ an array/,
      (store) => store.batch([], { checks: value }),
    ],
    [
      `batch check ${name}`,
      "InvalidArgument",
      /checks\[0\] is .+ an object/,
      (store) => store.batch([], { checks: [value] }),
    ],
  ]),
  ["no ops", "InvalidArgument", /ops is undefined/, (store) => store.batch(wrong(undefined))],
  [
    "a hole in ops",
    "InvalidArgument",
    /ops\[0\] is undefined/,
    (store) => store.batch(wrong([undefined])),
  ],
  [
    "op put",
    "InvalidArgument",
    /ops\[0\]\.op is "put": it must be "set" or "del"/,
    (store) => store.batch(wrong([{ op: "put", key: "n", value: "v" }])),
  ],
  [
    "op missing",
    "InvalidArgument",
    /ops\[0\]\.op is undefined/,
    (store) => store.batch(wrong([{ key: "n", value: "v" }])),
  ],
  ...([
    ["set", (store, options) => store.set("n", "v", options)],
    ["setSync", (store, options) => store.setSync("n", "v", options)],
    ["delete", (store, options) => store.delete("a", options)],
    ["deleteSync", (store, options) => store.deleteSync("a", options)],
    ["batch", (store, options) => store.batch([{ op: "del", key: "a" }], options)],
    ["scan", (store, options) => store.scan(options)],
    [
      "batch set",
      (store, options) => store.batch([{ op: "set", key: "n", value: "v", ...options }]),
    ],
    ["batch del", (store, options) => store.batch([{ op: "del", key: "a", ...options }])],
    [
      "check",
      (store, options) =>
        store.batch([{ op: "del", key: "a" }], {
          checks: [{ key: "b", version: null, ...options }],
        }),
    ],
  ] as [string, (store: KvStore, options: Record<string, unknown>) => unknown][]).map((
    [name, call],
  ): Refusal => [
    `unknown option of ${name}`,
    "InvalidArgument",
    /Option tttl does not exist here: the options are \w+/,
    (store) => call(store, wrong({ tttl: 5 })),
  ]),
  ...[-1, 1.5, NaN, -Infinity, "5", null].map((limit): Refusal => [
    `scan limit ${String(limit)}`,
    "InvalidArgument",
    /Option limit is .+ an integer of 0 or more/,
    (store) => store.scan({ limit: wrong(limit) }),
  ]),
  ...["prefix", "start", "end"].flatMap((name): Refusal[] => [
    ...[null, 5, {}, true].map((bound): Refusal => [
      `scan ${name} ${String(bound)}`,
      "InvalidArgument",
      /prefix, start and end must be strings or Uint8Arrays/,
      (store) => store.scan({ [name]: bound }),
    ]),
    [
      `scan ${name} with a lone surrogate`,
      "InvalidKey",
      /surrogate/,
      (store) => store.scan({ [name]: "\ud800" }),
    ],
  ]),
  ...["reverse", "values"].flatMap((name) =>
    [0, "yes", null].map((value): Refusal => [
      `scan ${name} ${String(value)}`,
      "InvalidArgument",
      new RegExp(`Option ${name} is .+ true or false`),
      (store) => store.scan(wrong({ [name]: value })),
    ])
  ),
];

testRefusals("bad input", cases);

test("what an asynchronous call is given wrong, its promise says; it never throws", async () => {
  await using store = await openInMemory();
  const calls = [
    () => store.set("", "v"),
    () => store.get(""),
    () => store.getEntry(""),
    () => store.delete(""),
    () => store.batch(wrong(null)),
  ];
  for (const call of calls) {
    const promise = call();
    assert(promise instanceof Promise);
    await failsWith(
      calls.indexOf(call) === 4 ? "InvalidArgument" : "InvalidKey",
      /./,
      () => promise,
    );
  }
  throwsAtOnce("InvalidKey", /empty/, () => store.setSync("", "v"));
});

test("a batch too large to be one", async () => {
  await using store = await openInMemory();
  const op = { op: "del" as const, key: "a" };
  await failsWith(
    "InvalidArgument",
    /Batch has 1000001 operations.*at most 1000000.*split it/,
    () => store.batch(new Array(1_000_001).fill(op)),
  );
  const value = new Uint8Array(64 << 20);
  const ops = Array.from({ length: 20 }, (_, i) => ({ op: "set" as const, key: `${i}`, value }));
  await failsWith(
    "InvalidArgument",
    /Batch may take \d+ bytes: at most \d+/,
    () => store.batch(ops),
  );
  assert.equal(store.stats().version, 0);
});
