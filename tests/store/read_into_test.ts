/** Reading into memory of the caller's, and leaving long values out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "../../lib/store/store.ts";
import type { ValueTarget } from "../../lib/store/types.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { failsWith, throwsAtOnce } from "../support/kv_error.ts";
import { TestClock } from "../support/test_clock.ts";
import { DURABILITIES, LAZY, openInMemory, PATH, pattern } from "../support/test_store.ts";

/** Room that is exactly as long as asked for, between bytes that must stay. */
class Room implements ValueTarget {
  bytes = new Uint8Array(0);
  asked = -1;

  reserve(byteLength: number): number {
    this.asked = byteLength;
    this.bytes = new Uint8Array(byteLength + 20).fill(0xee);
    return 7;
  }

  get value(): Uint8Array {
    assert(
      this.bytes.subarray(0, 7).every((byte) => byte === 0xee),
      "nothing before it is touched",
    );
    assert(this.bytes.subarray(-13).every((byte) => byte === 0xee), "nor behind it");
    return this.bytes.slice(7, -13);
  }
}

/** Reads with the key between other bytes. */
function readInto(store: KvStore, key: string, target: ValueTarget): number | undefined {
  const bytes = new TextEncoder().encode(`GET ${key} GET`);
  return store.readInto(bytes, 4, bytes.length - 8, target);
}

for (const [name, durability] of DURABILITIES) {
  test(`${name}: what is copied is what get returns`, async () => {
    await using store = await openInMemory({ durability });
    for (const length of [0, 1, 127, 128, 129, 1000, 8192, 70_000]) {
      for (const ttl of [undefined, 1000]) {
        const key = `k${length}${ttl ?? "ü€😀"}`;
        await store.set(key, pattern(length), ttl === undefined ? {} : { ttl });
        for (let round = 0; round < 2; round++) {
          const room = new Room();
          assert.equal(readInto(store, key, room), length);
          assert.equal(room.asked, length);
          assert.deepEqual(room.value, pattern(length));
          assert.deepEqual(store.getSync(key), pattern(length));
          await store.flush();
        }
      }
    }
  });
}

test("a key that is not there, or whose time is over, reserves no room", async () => {
  const clock = new TestClock();
  await using store = await openInMemory({ clock });
  store.setSync("a", "1", { ttl: 1000 });
  const room = new Room();
  assert.equal(readInto(store, "b", room), undefined);
  clock.advance(1000);
  assert.equal(readInto(store, "a", room), undefined);
  assert.equal(room.asked, -1);
});

test("without room nothing is read", async () => {
  await using store = await openInMemory({ durability: LAZY });
  store.setSync("a", pattern(100));
  assert.equal(readInto(store, "a", { bytes: new Uint8Array(0), reserve: () => -1 }), -1);
});

test("a key that cannot be is an error, however it is given", async () => {
  await using store = await openInMemory({ keyBytesMax: 100 });
  const room = new Room();
  const keys: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /empty/],
    [new Uint8Array(101).fill(65), /101 bytes or longer/],
    [Uint8Array.of(65, 0xff), /not valid UTF-8/],
    [Uint8Array.of(0xed, 0xa0, 0x80), /not valid UTF-8/],
  ];
  for (const [key, message] of keys) {
    throwsAtOnce("InvalidKey", message, () => store.readInto(key, 0, key.length, room));
    throwsAtOnce("InvalidKey", message, () => store.getSync(key));
    throwsAtOnce("InvalidKey", message, () => store.has(key));
  }
  const bytes = new Uint8Array(10).fill(65);
  // deno-lint-ignore no-explicit-any
  const ranges: any[] = [[-1, 2], [0, 11], [9, 2], [0.5, 1], [0, NaN], [0, -1], ["0", 1], [
    0,
    null,
  ]];
  for (const [start, length] of ranges) {
    throwsAtOnce(
      "InvalidArgument",
      /The key begins/,
      () => store.readInto(bytes, start, length, room),
    );
  }
  // deno-lint-ignore no-explicit-any
  throwsAtOnce("InvalidArgument", /of null/, () => store.readInto(null as any, 0, 1, room));
  assert.equal(room.asked, -1);
});

test("damage is found before anything is copied", async () => {
  const fs = new MemoryFileSystem();
  await using store = await openInMemory({}, fs);
  await store.set("a", pattern(100));
  const path = `${PATH}/wal/0000000001.log`;
  const file = fs.open(path, "write");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  const at = bytes.findIndex((_, index) =>
    pattern(100).every((byte, i) => bytes[index + i] === byte)
  );
  file.write(Uint8Array.of(pattern(100)[50]! ^ 1), 0, 1, at + 50);
  const room = new Room();
  await failsWith("CorruptLog", /checksum/, () => readInto(store, "a", room));
  assert(room.bytes.every((byte) => byte === 0xee));
});

test("long values can be left out of an entry", async () => {
  await using store = await openInMemory();
  await store.set("a", pattern(100));
  const whole = { key: "a", value: pattern(100), version: 1 };
  assert.deepEqual(store.getEntrySync("a", {}), whole);
  assert.deepEqual(store.getEntrySync("a", { valueBytesMax: 100 }), whole);
  assert.deepEqual(store.getEntrySync("a", { valueBytesMax: 99 }), {
    key: "a",
    value: new Uint8Array(0),
    version: 1,
    size: 100,
  });
  assert.equal(store.getEntrySync("b", { valueBytesMax: 0 }), undefined);
  for (const value of [-1, NaN, "5", null]) {
    throwsAtOnce(
      "InvalidArgument",
      /valueBytesMax is .+ 0 or more/,
      // deno-lint-ignore no-explicit-any
      () => store.getEntrySync("a", { valueBytesMax: value as any }),
    );
  }
  const misspelt = { values: 1 } as Parameters<KvStore["getEntrySync"]>[1];
  throwsAtOnce("InvalidArgument", /values does not/, () => store.getEntrySync("a", misspelt!));
});
