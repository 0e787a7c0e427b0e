import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertProblem, Service } from "./service.ts";

async function startWith(value: string): Promise<Service> {
  const service = await Service.start();
  await service.put("a", value); // version 1
  return service;
}

test("Range: one range of bytes is 206 with just these", async () => {
  await using service = await startWith("0123456789");
  const ranges: [range: string, body: string, contentRange: string][] = [
    ["bytes=0-0", "0", "bytes 0-0/10"],
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=5-", "56789", "bytes 5-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=-99", "0123456789", "bytes 0-9/10"],
    ["bytes=9-99999999999999999999", "9", "bytes 9-9/10"],
    ["Bytes= 0-1 ", "01", "bytes 0-1/10"],
  ];
  for (const [range, body, contentRange] of ranges) {
    const response = await service.ask("GET", "/v1/kv/a", { headers: { range } });
    const { headers } = response;
    assert.deepEqual([response.status, await response.text()], [206, body], range);
    assert.equal(headers.get("content-range"), contentRange);
    assert.deepEqual([headers.get("etag"), headers.get("accept-ranges")], ['"1"', "bytes"]);
  }
});

test("Range: none of the bytes is 416 with the length", async () => {
  await using service = await startWith("0123456789");
  await service.put("empty", "");
  const requests: [key: string, range: string, length: number][] = [
    ["a", "bytes=10-", 10],
    ["a", "bytes=99-100", 10],
    ["a", "bytes=-0", 10],
    ["empty", "bytes=0-", 0],
    ["empty", "bytes=-1", 0],
  ];
  for (const [key, range, length] of requests) {
    const response = await service.ask("GET", `/v1/kv/${key}`, { headers: { range } });
    assert.equal(response.headers.get("content-range"), `bytes */${length}`, range);
    await assertProblem(response, 416, "RangeNotSatisfiable", "Range");
  }
});

test("Range: what is malformed, in another unit, several, or with HEAD is not heeded", async () => {
  await using service = await startWith("0123456789");
  for (
    const range of [
      "bytes=4-2",
      "bytes=",
      "bytes=a-b",
      "bytes=-",
      "lines=0-1",
      "0-1",
      "bytes=0-1,3-4",
    ]
  ) {
    const response = await service.ask("GET", "/v1/kv/a", { headers: { range } });
    assert.deepEqual([response.status, await response.text()], [200, "0123456789"], range);
    assert.equal(response.headers.get("content-range"), null);
  }
  const head = await service.ask("HEAD", "/v1/kv/a", { headers: { range: "bytes=0-1" } });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
});

test("If-Range: the whole value unless it is still that version", async () => {
  await using service = await startWith("0123456789");
  const get = (ifRange: string) =>
    service.ask("GET", "/v1/kv/a", { headers: { range: "bytes=0-1", "if-range": ifRange } });
  assert.equal((await get('"1"')).status, 206);
  for (const other of ['"2"', 'W/"1"', "Tue, 01 Jan 2030 00:00:00 GMT"]) {
    assert.equal((await get(other)).status, 200, other);
  }
  const notModified = await service.ask("GET", "/v1/kv/a", {
    headers: { range: "bytes=0-1", "if-none-match": '"1"' },
  });
  assert.equal(notModified.status, 304, "preconditions come first");
});

test("Range: any range is the slice of the value, or 416", async () => {
  const value = "abcdefghij";
  await using service = await startWith(value);
  const bound = fc.nat({ max: 12 });
  await fc.assert(
    fc.asyncProperty(
      bound,
      fc.option(bound, { nil: undefined }),
      fc.boolean(),
      async (from, to, suffix) => {
        const range = suffix ? `bytes=-${from}` : `bytes=${from}-${to ?? ""}`;
        const response = await service.ask("GET", "/v1/kv/a", { headers: { range } });
        const body = await response.text();
        const expected = suffix
          ? value.slice(Math.max(0, value.length - from))
          : value.slice(from, to === undefined ? to : to + 1);
        if (!suffix && to !== undefined && to < from) {
          assert.deepEqual([response.status, body], [
            200,
            value,
          ]);
        } else if (expected === "" || (suffix && from === 0)) {
          assert.equal(response.status, 416);
        } else assert.deepEqual([response.status, body], [206, expected]);
      },
    ),
    { numRuns: 200 },
  );
});
