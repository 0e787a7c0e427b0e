/** Whatever an operation is given that it cannot use: an error that says so, and nothing written. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvErrorCode } from "../../lib/errors.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import {
  assertExact,
  DURABILITIES,
  logBytes,
  openInMemory,
  scanAll,
  text,
} from "../support/test_store.ts";
import { TestClock } from "../support/test_clock.ts";

/** Something that is not what the types say, as a caller without type checking may pass it. */
// deno-lint-ignore no-explicit-any
const wrong = (value: unknown): any => value;

const NOT_OBJECTS = [null, 5, "x", true].map((value) => [String(value), wrong(value)] as const);
const NOT_TEXT = [null, undefined, 5, {}, [], true, new ArrayBuffer(3), Symbol("s")];

type Case = [what: string, code: KvErrorCode, message: RegExp, call: (store: KvStore) => unknown];

const badKeys: [string, unknown, RegExp][] = [
  ["empty text", "", /Key is empty: a key needs at least one byte/],
  ["no bytes", new Uint8Array(0), /Key is empty/],
  ["a lone high surrogate", "a\ud83d", /"a.*surrogate.*encode binary keys/],
  ["a lone low surrogate", "\ude00a", /surrogate/],
  ["swapped surrogates", "\ude00\ud83d", /surrogate/],
  ["bytes that are not UTF-8", Uint8Array.of(0x61, 0xff), /not valid UTF-8.*hexadecimal/],
  ["half a character", Uint8Array.of(0xe2, 0x82), /not valid UTF-8/],
  ["an overlong form", Uint8Array.of(0xc0, 0x80), /not valid UTF-8/],
  ["a surrogate in UTF-8", Uint8Array.of(0xed, 0xa0, 0x80), /not valid UTF-8/],
  ["65,537 bytes", "k".repeat(65_537), /"k{60}…" is 65537 bytes.*at most 65536.*keyBytesMax/],
  ["65,537 bytes in fewer characters", "é".repeat(32_768) + "a", /at most 65536/],
  ["an array too long", new Uint8Array(65_537).fill(97), /at most 65536/],
  ["an absurdly long text", "k".repeat(10_000_000), /at most 65536/],
  ...NOT_TEXT.map((key): [string, unknown, RegExp] => [
    `${typeof key} ${Array.isArray(key) ? "[]" : String(key)}`,
    key,
    /Key is (null|of type \w+): pass a string or a Uint8Array/,
  ]),
];

const withKey = (what: string, bad: unknown, message: RegExp): Case[] => {
  const key = wrong(bad);
  const calls: [string, (store: KvStore) => unknown][] = [
    ["set", (store) => store.set(key, "v")],
    ["setSync", (store) => store.setSync(key, "v")],
    ["set ifAbsent", (store) => store.set(key, "v", { ifAbsent: true, ttl: 5 })],
    ["get", (store) => store.get(key)],
    ["getSync", (store) => store.getSync(key)],
    ["getEntry", (store) => store.getEntry(key)],
    ["getEntrySync", (store) => store.getEntrySync(key)],
    ["has", (store) => store.has(key)],
    ["delete", (store) => store.delete(key)],
    ["deleteSync", (store) => store.deleteSync(key)],
    ["batch set", (store) => store.batch([{ op: "set", key, value: "v" }])],
    [
      "batch del",
      (store) => store.batch([{ op: "set", key: "n", value: "v" }, { op: "del", key }]),
    ],
    ["batchSync", (store) => store.batchSync([{ op: "del", key }])],
    ["check", (store) => store.batch([], { checks: [{ key, version: null }] })],
  ];
  return calls.map(([name, call]) => [`${name} with ${what} as key`, "InvalidKey", message, call]);
};

const withTtl = (ttl: unknown): Case[] => {
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

const withExpiresAt = (expiresAt: unknown): Case[] => {
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

const cases: Case[] = [
  ...badKeys.flatMap((each) => withKey(...each)),
  ...BAD_TIMES.flatMap(withTtl),
  ...BAD_TIMES.flatMap(withExpiresAt),
  ...NOT_TEXT.flatMap((value): Case[] => [
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
    (value, i): Case[] => [
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
  ...[...BAD_VERSIONS, null].flatMap((version): Case[] => [
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
  ...[...BAD_VERSIONS, undefined].map((version): Case => [
    `check version ${String(version)}`,
    "InvalidArgument",
    /checks\[1\]\.version is/,
    (store) =>
      store.batch([{ op: "set", key: "n", value: "v" }], {
        checks: [{ key: "zzz", version: null }, { key: "a", version: wrong(version) }],
      }),
  ]),
  ...NOT_OBJECTS.flatMap(([name, value]): Case[] => [
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
  ): Case => [
    `unknown option of ${name}`,
    "InvalidArgument",
    /Option tttl does not exist here: the options are \w+/,
    (store) => call(store, wrong({ tttl: 5 })),
  ]),
  ...[-1, 1.5, NaN, -Infinity, "5", null].map((limit): Case => [
    `scan limit ${String(limit)}`,
    "InvalidArgument",
    /Option limit is .+ an integer of 0 or more/,
    (store) => store.scan({ limit: wrong(limit) }),
  ]),
  ...["prefix", "start", "end"].flatMap((name): Case[] => [
    ...[null, 5, {}, true].map((bound): Case => [
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
    [0, "yes", null].map((value): Case => [
      `scan ${name} ${String(value)}`,
      "InvalidArgument",
      new RegExp(`Option ${name} is .+ true or false`),
      (store) => store.scan(wrong({ [name]: value })),
    ])
  ),
];

for (const [name, durability] of DURABILITIES) {
  test(`${name}: ${cases.length} kinds of bad input`, async () => {
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
    for (const [what, code, message, call] of cases) {
      try {
        await failsWith(code, message, () => call(store));
        assert.deepEqual(store.stats(), before);
      } catch (error) {
        failures.push(`${what}: ${(error as Error).message}`);
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
