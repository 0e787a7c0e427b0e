import assert from "node:assert/strict";
import { test } from "node:test";
import { TestClock } from "../support/test_clock.ts";

test("time stands still until it is moved, and due tasks run in order, at their moments", () => {
  const clock = new TestClock({ nowMs: 1000 });
  const log: string[] = [];
  clock.schedule(20, () => log.push(`b at ${clock.now()}`));
  clock.schedule(10, () => {
    log.push(`a at ${clock.now()}`);
    clock.schedule(5, () => log.push(`nested at ${clock.now()}`));
  });
  clock.schedule(20, () => log.push("c after b"));
  clock.schedule(31, () => log.push("too late"), true);
  clock.schedule(1, () => log.push("cancelled")).cancel();
  clock.advance(30);
  assert.deepEqual(log, ["a at 1010", "nested at 1015", "b at 1020", "c after b"]);
  assert.equal(clock.now(), 1030);
  assert.equal(clock.monotonic(), 30);
  assert.equal(clock.pendingCount(), 1);
  assert.equal(clock.pendingCount({ foregroundOnly: true }), 0);
  clock.setNow(5);
  assert.equal(clock.monotonic(), 30);
});

test("deferred tasks run by themselves, or by hand", async () => {
  await new Promise<void>((resolve) => new TestClock().defer(resolve));
  const clock = new TestClock({ manualDefer: true });
  let ran = 0;
  clock.defer(() => {
    ran++;
    clock.defer(() => ran++);
  });
  assert.equal(ran, 0);
  assert.equal(clock.runDeferred(), 1);
  assert.equal(clock.runDeferred(), 1);
  assert.equal(ran, 2);
});
