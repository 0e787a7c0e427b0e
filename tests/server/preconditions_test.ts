import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, Service } from "./service.ts";

test("If-None-Match: * creates only", async () => {
  await using service = await Service.start();
  const create = () => service.put("a", "x", { "if-none-match": "*" });
  assert.equal((await create()).status, 201);
  await assertProblem(await create(), 412, "ConditionFailed");
});

test("If-Match: compares and sets, also with lists and *", async () => {
  await using service = await Service.start();
  const put = (body: string, tags: string) => service.put("a", body, { "if-match": tags });
  await assertProblem(await put("x", '"1"'), 412, "ConditionFailed");
  await assertProblem(await put("x", "*"), 412, "ConditionFailed");
  await service.put("a", "1"); // version 1
  await assertProblem(await put("x", '"7"'), 412, "ConditionFailed");
  await assertProblem(await put("x", 'W/"1"'), 412, "ConditionFailed");
  for (const never of ['"01"', '"0"', '"9007199254740992"', `"${"9".repeat(400)}"`]) {
    await assertProblem(await put("x", never), 412, "ConditionFailed");
  }
  assert.deepEqual([(await put("2", '"1"')).status], [204]);
  assert.equal((await put("3", '"9", "2"')).status, 204);
  assert.equal((await put("4", "*")).status, 204);
  assert.equal((await put("4", ', "7",, "4" ,')).status, 204);
  assert.equal(await (await service.ask("GET", "/v1/kv/a")).text(), "4");
  for (const bad of ["1", '"1" "2"', ",", '"1', ""]) {
    await assertProblem(await put("x", bad), 400, "InvalidArgument");
  }
});

test("PUT with If-None-Match and a list: unless it is one of these", async () => {
  await using service = await Service.start();
  const put = (tags: string) => service.put("a", "x", { "if-none-match": tags });
  assert.equal((await put('"5"')).status, 201);
  await assertProblem(await put('"5", W/"1"'), 412, "ConditionFailed");
  assert.equal((await put('"5"')).status, 204);
});

test("DELETE with If-Match", async () => {
  await using service = await Service.start();
  const remove = (tags: string) =>
    service.ask("DELETE", "/v1/kv/a", { headers: { "if-match": tags } });
  await assertProblem(await remove("*"), 412, "ConditionFailed");
  await assertProblem(await remove('"1"'), 412, "ConditionFailed");
  await service.put("a", "x");
  await assertProblem(await remove('"2"'), 412, "ConditionFailed");
  assert.equal(service.store.has("a"), true);
  assert.equal((await remove('"1"')).status, 204);
  await service.put("a", "x");
  assert.equal((await remove("*")).status, 204);
  assert.equal(service.store.size, 0);
});

test("GET with If-None-Match: 304 without a body; with If-Match: 412", async () => {
  await using service = await Service.start();
  await service.put("a", "x");
  const get = (headers: HeadersInit) => service.ask("GET", "/v1/kv/a", { headers });
  for (const tags of ['"1"', 'W/"1"', '"9", "1"', "*", ' ,, W/"1",']) {
    const response = await get({ "if-none-match": tags });
    assert.deepEqual([response.status, await response.text()], [304, ""], tags);
    assert.equal(response.headers.get("etag"), '"1"');
  }
  assert.equal((await get({ "if-none-match": '"2"' })).status, 200);
  assert.equal((await get({ "if-match": '"1"' })).status, 200);
  await assertProblem(await get({ "if-match": '"2"' }), 412, "ConditionFailed");
});

test("many clients create one key: one is told so", async () => {
  await using service = await Service.start();
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, index) => service.put("a", String(index))),
  );
  const created = responses.filter(({ status }) => status === 201);
  assert.equal(created.length, 1);
  assert(responses.every(({ status }) => status === 201 || status === 204));
});

test("many clients compare and set: no update is lost", async () => {
  await using service = await Service.start();
  await service.put("counter", "0");
  const increment = async (): Promise<void> => {
    const got = await service.ask("GET", "/v1/kv/counter");
    const tag = got.headers.get("etag") ?? "";
    // The list takes the way of several steps, which must be as safe as the single one.
    const tags = Math.random() < 0.5 ? tag : `"999999", ${tag}`;
    const put = await service.put("counter", String(Number(await got.text()) + 1), {
      "if-match": tags,
    });
    if (put.status === 412) return await increment();
    assert.equal(put.status, 204);
  };
  await Promise.all(Array.from({ length: 20 }, increment));
  assert.equal(await (await service.ask("GET", "/v1/kv/counter")).text(), "20");
});

test("If-Match: * while another write is under way waits for it instead of failing", async () => {
  await using service = await Service.start();
  await service.put("a", "x");
  const responses = await Promise.all(
    Array.from({ length: 10 }, (_, index) => service.put("a", `${index}`, { "if-match": "*" })),
  );
  assert(responses.every(({ status }) => status === 204));
});
