/** Whom backpressure lets go, and when; and how far compaction counts as behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backpressure } from "../../lib/store/backpressure.ts";
import { groupBytesOf, lagOf, type SegmentFigures } from "../../lib/store/compaction_policy.ts";
import { TestClock } from "../support/test_clock.ts";
import { turn } from "../support/test_store.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A log to which bytes are appended, and those of its writes that were let go. */
class WrittenLog {
  readonly clock = new TestClock();
  readonly admitted: number[] = [];
  readonly backpressure: Backpressure;
  #bytes = 0;

  constructor() {
    this.backpressure = new Backpressure(this.clock, () => this.#bytes);
  }

  /** Appends; the position is among the admitted ones as soon as the write may be acknowledged. */
  write(byteLength: number): void {
    this.#bytes += byteLength;
    const position = this.#bytes;
    const admission = this.backpressure.admission();
    if (admission === undefined) this.admitted.push(position);
    else void admission.then(() => this.admitted.push(position));
  }
}

test("nobody waits before compaction is behind, nor afterwards", async () => {
  const log = new WrittenLog();
  log.write(1000);
  assert.deepEqual(log.admitted, [1000]);
  log.backpressure.hold(0.5, 0);
  log.write(1000);
  log.write(1000);
  assert.deepEqual(log.admitted, [1000]);
  log.clock.advance(5);
  log.backpressure.release();
  log.write(1000);
  await turn();
  assert.deepEqual(log.admitted.toSorted(), [1000, 2000, 3000, 4000]);
  assert.equal(log.backpressure.waitedMs, 5);
  assert.equal(log.clock.pendingCount(), 0);
});

test("writes are let go in their order, each for its share of the work", async () => {
  const log = new WrittenLog();
  log.backpressure.hold(0.5, 0);
  for (let count = 0; count < 4; count++) log.write(100);
  log.backpressure.noteWork(399);
  await turn();
  assert.deepEqual(log.admitted, [100]);
  log.backpressure.noteWork(1);
  await turn();
  assert.deepEqual(log.admitted, [100, 200]);
  log.backpressure.hold(0.25, 0);
  log.backpressure.noteWork(400);
  await turn();
  assert.deepEqual(log.admitted, [100, 200, 300]);
});

test("what is not written at once may follow, but no more than was said", () => {
  const log = new WrittenLog();
  log.backpressure.hold(1, 250);
  log.backpressure.noteWork(10_000);
  log.write(100);
  log.write(150);
  assert.deepEqual(log.admitted, [100, 250]);
  log.write(1);
  assert.deepEqual(log.admitted, [100, 250]);
});

test("while compaction waits for the disk, writes go on slowly", async () => {
  const log = new WrittenLog();
  log.backpressure.hold(1 / 16, 0);
  for (let count = 0; count < 100; count++) log.write(4 * KIB);
  log.clock.advance(9);
  await turn();
  assert.equal(log.admitted.length, 0);
  log.clock.advance(1);
  await turn();
  assert.equal(log.admitted.length, 4);
  log.clock.advance(100);
  await turn();
  assert.equal(log.admitted.length, 44);
});

test("no write waits for more than a second, however long it is", async () => {
  const log = new WrittenLog();
  log.backpressure.hold(1 / 16, 0);
  log.write(100 * MIB);
  log.clock.advance(500);
  log.backpressure.noteWork(1);
  log.write(100 * MIB);
  log.clock.advance(490);
  await turn();
  assert.equal(log.admitted.length, 0);
  log.clock.advance(10);
  await turn();
  assert.deepEqual(log.admitted, [100 * MIB]);
  log.backpressure.noteWork(1);
  log.clock.advance(490);
  await turn();
  assert.deepEqual(log.admitted, [100 * MIB]);
  log.clock.advance(10);
  await turn();
  assert.deepEqual(log.admitted, [100 * MIB, 200 * MIB]);
});

test("a second is no longer where the event loop is busy", async () => {
  const log = new WrittenLog();
  const { clock, backpressure } = log;
  const schedule = clock.schedule.bind(clock);
  clock.schedule = (delayMs, task, background) => schedule(delayMs + 40, task, background);
  backpressure.hold(1 / 16, 0);
  log.write(100 * MIB);
  for (let ms = 0; ms < 950; ms += 50) {
    clock.advance(50);
    backpressure.noteWork(1);
  }
  await turn();
  assert.equal(log.admitted.length, 0);
  clock.advance(50);
  await turn();
  assert.equal(log.admitted.length, 1);
});

test("a compaction that has got nowhere for a second is not waited for until it gets on", async () => {
  const log = new WrittenLog();
  log.backpressure.hold(1 / 16, 0);
  for (let second = 0; second < 2; second++) {
    log.write(100 * MIB);
    log.clock.advance(1000);
  }
  await turn();
  assert.equal(log.admitted.length, 2);
  log.backpressure.hold(1 / 16, 0);
  log.write(100);
  assert.equal(log.admitted.length, 3, "not waited for");
  log.backpressure.noteWork(1);
  log.backpressure.hold(1 / 16, 0);
  log.write(100);
  assert.equal(log.admitted.length, 3, "waited for again");
});

function segment(length: number, aliveBytes: number): SegmentFigures {
  const supersededBytes = length - aliveBytes;
  return { length, lastLsn: 1, aliveBytes, tombstoneBytes: 0, controlBytes: 0, supersededBytes };
}

const thresholds = {
  deadRatio: 0.5,
  totalBytes: 256 * MIB,
  deadBytesMin: MIB,
  retainedVersions: 0,
  segmentBytesMax: 64 * MIB,
};

test("compaction is behind by what is dead beyond what is alive, up to two segments", () => {
  const lag = (aliveBytes: number, deadBytes: number, changed: Partial<typeof thresholds> = {}) =>
    lagOf(
      [segment(aliveBytes + deadBytes, aliveBytes)],
      { ...thresholds, ...changed },
      Infinity,
      0,
    );
  assert.deepEqual(lag(50 * MIB, 70 * MIB), { excessBytes: 20 * MIB, slackBytes: 50 * MIB });
  assert.deepEqual(lag(900 * MIB, 800 * MIB), { excessBytes: -100 * MIB, slackBytes: 128 * MIB });
  assert.deepEqual(lag(0, 3 * MIB), { excessBytes: 2 * MIB, slackBytes: 8 * MIB });
  const few = { segmentBytesMax: 4096, deadBytesMin: 1000 };
  assert.deepEqual(lag(100_000, 150_000, few), { excessBytes: 50_000, slackBytes: 8192 });
  // To want less dead is no reason to write more slowly, and to want more is one to wait for it.
  assert.equal(lag(50 * MIB, 70 * MIB, { deadRatio: 0.1 }).excessBytes, 20 * MIB);
  assert.equal(lag(50 * MIB, 70 * MIB, { deadRatio: 0.75 }).excessBytes, -80 * MIB);
  assert.equal(lag(50 * MIB, 70 * MIB, { deadRatio: 1 }).excessBytes, -Infinity);
});

test("what is in flight is not behind, and deletes that are kept are not either", () => {
  const segments = [{ ...segment(100 * MIB, 20 * MIB), tombstoneBytes: 0 }];
  assert.equal(lagOf(segments, thresholds, Infinity, 0).excessBytes, 60 * MIB);
  assert.equal(lagOf(segments, thresholds, Infinity, 30 * MIB).excessBytes, 30 * MIB);
  const kept = [{ ...segment(100 * MIB, 20 * MIB), tombstoneBytes: 80 * MIB, supersededBytes: 0 }];
  assert.equal(lagOf(kept, thresholds, 0, 0).excessBytes, -100 * MIB);
  assert.equal(lagOf(kept, thresholds, 1, 0).excessBytes, 60 * MIB);
});

test("a small store is rewritten in steps, a large one segment by segment", () => {
  const bytes = (aliveBytes: number) => groupBytesOf([segment(aliveBytes, aliveBytes)], thresholds);
  assert.equal(bytes(MIB), 4 * MIB);
  assert.equal(bytes(80 * MIB), 10 * MIB);
  assert.equal(bytes(900 * MIB), 64 * MIB);
  assert.equal(groupBytesOf([], { ...thresholds, segmentBytesMax: 4096 }), 4096);
});
