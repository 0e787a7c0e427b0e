import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadSlots } from "../../lib/server/tcp/read_slots.ts";
import { pattern } from "../support/test_store.ts";
import { bytesOf, latin1 } from "./fed_parser.ts";
import { TcpService } from "./tcp_service.ts";

test("read slots: so many at once, in order, whether they succeed or not", async () => {
  const slots = new ReadSlots(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const reads = Array.from({ length: 5 }, (_, index) =>
    slots.run(async () => {
      begun.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 1) throw new Error("no");
      return index;
    }));
  const results = Promise.allSettled(reads);
  for (const count of [2, 3, 4, 5, 5]) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(begun.length, count);
    ends.shift()!();
  }
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  assert.deepEqual(
    (await results).map(({ status }) => status).filter((each) => each === "rejected"),
    [
      "rejected",
    ],
  );
  assert.equal(await slots.run(() => Promise.resolve(1)), 1);
});

test("read slots: more long values than there are slots, each to the one who asked", async () => {
  await using service = await TcpService.start();
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  for (const number of numbers) service.store.setSync(`key-${number}`, pattern(40_000, number));
  service.store.flushSync();
  const clients = numbers.map(() => service.connect());
  clients.forEach((client, number) => {
    const chunk = bytesOf(`GET key-${number}\n`);
    client.send(chunk);
    chunk.fill(120); // what was executed may be overwritten
    client.send("GET none\n");
  });
  while (clients.some(({ text }) => !text.endsWith("NOT_FOUND\n"))) await service.settle();
  clients.forEach(({ text }, number) => {
    assert.equal(text, `VALUE 40000\n${latin1(pattern(40_000, number))}NOT_FOUND\n`);
  });
});
