import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assertProblem, Service } from "./service.ts";

interface Page {
  entries: { key: string; version: number; size: number; value?: string; encoding?: string }[];
  cursor: string | null;
  complete: boolean;
}

async function list(service: Service, query = ""): Promise<Page> {
  const response = await service.ask("GET", `/v1/kv${query}`);
  const body = await response.text();
  assert.equal(response.status, 200, body);
  assert.equal(response.headers.get("content-type")?.split(";")[0], "application/json");
  assert.equal(response.headers.get("content-length"), String(Buffer.byteLength(body)));
  return JSON.parse(body);
}

async function keysOf(service: Service, query: string): Promise<string> {
  return (await list(service, query)).entries.map(({ key }) => key).join(" ");
}

async function startWith(...keys: string[]): Promise<Service> {
  const service = await Service.start({}, { durability: { bytes: 1 << 20, millis: 1000 } });
  for (const key of keys) await service.store.set(key, `value of ${key}`);
  return service;
}

test("listing: keys with version, size and expiry; values only if wanted", async () => {
  await using service = await startWith("a");
  await service.store.set("b", Uint8Array.of(255, 0), { ttl: 3_600_000 });
  await service.store.set("c", "\ufeffbom\u0000");
  const { expiresAt } = service.store.stat("b")!;
  assert.deepEqual(await list(service), {
    entries: [
      { key: "a", version: 1, size: 10 },
      { key: "b", version: 2, size: 2, expiresAt },
      { key: "c", version: 3, size: 7 },
    ],
    cursor: null,
    complete: true,
  });
  const { entries } = await list(service, "?values=1");
  assert.deepEqual(entries, [
    { key: "a", version: 1, size: 10, value: "value of a" },
    { key: "b", version: 2, size: 2, expiresAt, value: "/wA=", encoding: "base64" },
    { key: "c", version: 3, size: 7, value: "\ufeffbom\u0000" },
  ]);
});

test("listing: bounds, prefix, direction and limit", async () => {
  await using service = await startWith("a", "a b", "a+", "b", "ba", "c/d", "é");
  const queries: [query: string, keys: string][] = [
    ["", "a a b a+ b ba c/d é"],
    ["?", "a a b a+ b ba c/d é"],
    ["?prefix=a", "a a b a+"],
    ["?prefix=a+", "a b"],
    ["?prefix=a%20", "a b"],
    ["?prefix=a%2B", "a+"],
    ["?prefix=%C3%A9", "é"],
    ["?start=b&end=c", "b ba"],
    ["?start=b&end=c&reverse=1", "ba b"],
    ["?prefix=b&start=ba", "ba"],
    ["?start=c&end=b", ""],
    ["?prefix=&start=&values=0&reverse=false&limit=2", "a a b"],
    ["?reverse=true&limit=1", "é"],
    ["?limit=7", "a a b a+ b ba c/d é"],
  ];
  for (const [query, keys] of queries) assert.equal(await keysOf(service, query), keys, query);
  assert.deepEqual(await list(service, "?start=x&end=y"), {
    entries: [],
    cursor: null,
    complete: true,
  });
});

test("listing: wrong parameters are 400 and named", async () => {
  await using service = await startWith("a");
  const queries: [query: string, field: string][] = [
    ["limit=0", "limit"],
    ["limit=-1", "limit"],
    ["limit=1.5", "limit"],
    ["limit=ten", "limit"],
    ["limit=", "limit"],
    ["limit", "limit"],
    ["limit=0x10", "limit"],
    ["limit=1e3", "limit"],
    ["limit=9007199254740992", "limit"],
    ["limit=1&limit=2", "limit"],
    ["reverse=yes", "reverse"],
    ["values=", "values"],
    ["values=2", "values"],
    ["prefix=%FF", "prefix"],
    ["end=%", "end"],
    ["Prefix=a", "Prefix"],
    ["keys=1", "keys"],
    ["__proto__=1", "__proto__"],
    ["cursor=", "cursor"],
    ["cursor=AAAA", "cursor"],
  ];
  for (const [query, field] of queries) {
    const response = await service.ask("GET", `/v1/kv?${query}`);
    await assertProblem(response, 400, "InvalidArgument", field);
  }
});

test("listing: a page has 100 entries by default, and never more than 1000", async () => {
  await using service = await startWith();
  for (let i = 0; i < 1500; i++) service.store.setSync(String(i).padStart(5, "0"), "");
  const first = await list(service);
  assert.deepEqual([first.entries.length, first.complete], [100, false]);
  const large = await list(service, "?limit=9000");
  assert.deepEqual([large.entries.length, large.complete], [1000, false]);
  const rest = await list(service, `?limit=9000&cursor=${large.cursor}`);
  assert.deepEqual([rest.entries.length, rest.complete, rest.cursor], [500, true, null]);
  assert.equal(rest.entries[0]?.key, "01000");
});

test("listing: a page ends at 4 MiB of text, but has one entry at least", async () => {
  await using service = await startWith();
  const MIB = 1 << 20;
  // The third as base64, the fourth escaped, both longer in the page than in the store.
  const values = [
    "x".repeat(MIB),
    "é".repeat(MIB),
    new Uint8Array(MIB).fill(255),
    "\u0001".repeat(MIB),
  ];
  for (let i = 0; i < 8; i++) service.store.setSync(`k${i}`, values[i % 4]!);
  service.store.setSync("k8", "x".repeat(6 * MIB));
  const seen: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const response = await service.ask(
      "GET",
      `/v1/kv?values=1${cursor === null ? "" : `&cursor=${cursor}`}`,
    );
    const length = Number(response.headers.get("content-length"));
    const page: Page = await response.json();
    assert(length < 4 * MIB + 1000 || page.entries.length === 1, `${length} bytes`);
    seen.push(...page.entries.map(({ key }) => key));
    cursor = page.cursor;
    pages++;
  } while (cursor !== null);
  assert.deepEqual(seen, Array.from({ length: 9 }, (_, i) => `k${i}`));
  assert.equal(pages, 7, "k0 k1 | k2 | k3 | k4 k5 | k6 | k7 | k8");
});

test("cursor: one that is damaged, made up or of another listing is 400", async () => {
  await using service = await startWith("a", "b", "c", "d");
  const bounds = "prefix=&start=a&end=z&reverse=0";
  const { cursor } = await list(service, `?${bounds}&limit=2`);
  assert.equal(await keysOf(service, `?${bounds}&cursor=${cursor}&limit=9&values=1`), "c d");
  for (
    const other of [
      "",
      "prefix=&start=a&end=z&reverse=1",
      "start=a&end=z&reverse=0",
      "prefix=&start=b&end=z",
    ]
  ) {
    const response = await service.ask("GET", `/v1/kv?${other}&cursor=${cursor}`);
    await assertProblem(response, 400, "InvalidArgument", "cursor");
  }
  const bytes = Buffer.from(cursor!, "base64url");
  const forgeries = [
    `${cursor}=`,
    `${cursor}A`,
    `${cursor} `,
    cursor!.slice(0, -1),
    "A".repeat(5000),
  ];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    forgeries.push(flipped.toString("base64url"));
  }
  for (const forged of forgeries) {
    const path = `/v1/kv?${bounds}&cursor=${encodeURIComponent(forged)}`;
    await assertProblem(await service.ask("GET", path), 400, "InvalidArgument", "cursor");
  }
});

test("cursor: one that is made up well leads no further than the bounds", async () => {
  await using service = await startWith("a", "b", "c", "d");
  // The checksum is no secret: take the one of the same listing behind a key out of its bounds.
  const { encodeCursor } = await import("../../lib/server/http/listing_cursor.ts");
  const bounds = { prefix: undefined, start: "b", end: "d" };
  const forward = encodeCursor({ ...bounds, reverse: false }, "A");
  assert.equal(await keysOf(service, `?start=b&end=d&cursor=${forward}`), "b c");
  const backward = encodeCursor({ ...bounds, reverse: true }, "x");
  assert.equal(await keysOf(service, `?start=b&end=d&reverse=1&cursor=${backward}`), "c b");
});
