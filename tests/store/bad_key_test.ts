/** What is no key, whatever operation it is given to. */

import type { KvStore } from "../../lib/store/store.ts";
import { NOT_TEXT, type Refusal, testRefusals, wrong } from "../support/refusals.ts";

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

const withKey = (what: string, bad: unknown, message: RegExp): Refusal[] => {
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

testRefusals("keys that are none", badKeys.flatMap((each) => withKey(...each)));
