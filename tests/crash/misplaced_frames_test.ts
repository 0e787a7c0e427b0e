/** Frames that are whole, but not where they belong: swapped, doubled, lost, moved. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { bytesOf, type DiskImage, fromImage, joined, withFile } from "../support/disk_image.ts";
import { type Frame, framesOf } from "../support/frames.ts";
import { FIRST_LOG, leftByClose, leftByKill } from "../support/killed_store.ts";
import { withoutHints, writeSegments } from "../support/segmented_store.ts";
import { mustRefuse, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 120_000;

const STATES: Record<string, string>[] = [{}];

async function writeLog(): Promise<DiskImage> {
  STATES.length = 1;
  return await leftByKill(async (store) => {
    for (let index = 0; index < 6; index++) {
      // Records of one length: swapped, they leave every other frame in its place.
      await store.set(`key ${index}`, `value ${index}`);
      STATES.push({ ...STATES.at(-1), [`key ${index}`]: `value ${index}` });
    }
  });
}

function bytesOfFrames(log: Uint8Array, frames: readonly Frame[]): Uint8Array {
  return joined(...frames.map(({ offset, end }) => log.subarray(offset, end)));
}

/** Opening must refuse, or show the state after some of the writes: never anything else. */
async function assertRefusedOrPrefix(image: DiskImage, what: string): Promise<void> {
  const outcome = await tryToOpen(fromImage(image));
  if (outcome instanceof KvError) {
    assert.equal(outcome.code, "CorruptLog", what);
    return;
  }
  assert.deepEqual(outcome.state, STATES[outcome.version], what);
}

test("records swapped with each other are found", { timeout: TIMEOUT_MS }, async () => {
  const image = await writeLog();
  const log = bytesOf(image, FIRST_LOG);
  const frames = framesOf(log);
  const records = frames.filter(({ op }) => op === 0);
  for (const left of records.slice(0, -1)) {
    for (const right of records.slice(0, -1)) {
      if (left.offset >= right.offset) continue;
      const swapped = frames
        .map((frame) => frame === left ? right : frame === right ? left : frame);
      await mustRefuse(withFile(image, FIRST_LOG, bytesOfFrames(log, swapped)));
    }
  }
});

test("a record written over another one is found", { timeout: TIMEOUT_MS }, async () => {
  const image = await writeLog();
  const log = bytesOf(image, FIRST_LOG);
  const records = framesOf(log).filter(({ op }) => op === 0).slice(0, -1);
  for (const from of records) {
    for (const to of records) {
      if (from === to) continue;
      const copied = log.slice();
      copied.set(log.subarray(from.offset, from.end), to.offset);
      await mustRefuse(withFile(image, FIRST_LOG, copied));
    }
  }
});

test(
  "frames lost, doubled or moved never lead to a state that never was",
  { timeout: TIMEOUT_MS },
  async () => {
    const image = await writeLog();
    const log = bytesOf(image, FIRST_LOG);
    const frames = framesOf(log);
    for (const frame of frames) {
      const lost = frames.filter((each) => each !== frame);
      const doubled = frames.flatMap((each) => each === frame ? [each, each] : [each]);
      const last = [...lost, frame];
      for (const [what, changed] of Object.entries({ lost, doubled, last })) {
        const damaged = withFile(image, FIRST_LOG, bytesOfFrames(log, changed));
        await assertRefusedOrPrefix(damaged, `${what}: the frame at ${frame.offset}`);
      }
    }
    await assertRefusedOrPrefix(
      withFile(image, FIRST_LOG, bytesOfFrames(log, frames.toReversed())),
      "reversed",
    );
  },
);

test("in closed segments, compacted ones too, frames lost, doubled, swapped or moved are found", {
  timeout: TIMEOUT_MS,
}, async () => {
  const compacted = await leftByClose(async (store) => {
    // Every second version is dead, so that the LSNs that are left have gaps.
    for (let index = 0; index < 8; index++) await store.set(`key ${index >> 1}`, `value ${index}`);
    await store.compact();
  });
  const output = [...compacted.keys()].filter((name) => name.endsWith(".log"))
    .find((name) => framesOf(bytesOf(compacted, name)).some(({ op }) => op === 0))!;
  const { image } = await writeSegments();
  for (const [files, name] of [[compacted, output], [image, FIRST_LOG]] as const) {
    const log = bytesOf(files, name);
    const frames = framesOf(log);
    const refuse = (changed: readonly Frame[]) =>
      mustRefuse(withFile(withoutHints(files), name, bytesOfFrames(log, changed)));
    for (const frame of frames) {
      const lost = frames.filter((each) => each !== frame);
      await refuse(lost);
      await refuse(frames.flatMap((each) => each === frame ? [each, each] : [each]));
      if (frame !== frames.at(-1)) await refuse([...lost, frame]);
      for (const other of frames) {
        if (other.offset <= frame.offset) continue;
        await refuse(frames.map((each) => each === frame ? other : each === other ? frame : each));
      }
    }
  }
});
