/** An old copy of ACTIVE over segments that came later, and whose headers cannot be read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import { bytesOf, type DiskImage, fromImage, withFile } from "../support/disk_image.ts";
import { leftByClose } from "../support/killed_store.ts";
import { mustOpen, mustRefuse, problemsOf } from "../support/store_outcome.ts";

const SMALL = { segmentBytesMax: 4096 };
const NEWER = ["0000000002.log", "0000000003.log"];

/** A log of three segments under the ACTIVE that it had when there was one. */
async function underOlderActive(): Promise<DiskImage> {
  const before = await leftByClose((store) => store.set("old", "1"), SMALL);
  const after = await leftByClose(
    async (store) => {
      for (let index = 0; index < 30; index++) await store.set(`new ${index}`, "x".repeat(250));
    },
    SMALL,
    before,
  );
  for (const name of NEWER) assert(bytesOf(after, name).length > SEGMENT_FRAME_BYTES);
  return withFile(after, "ACTIVE", bytesOf(before, "ACTIVE"));
}

/** The image with each newer segment as `change` has it. */
function withNewer(image: DiskImage, change: (bytes: Uint8Array) => Uint8Array): DiskImage {
  let changed = image;
  for (const name of NEWER) changed = withFile(changed, name, change(bytesOf(image, name).slice()));
  return changed;
}

function withHeaderDamaged(bytes: Uint8Array): Uint8Array {
  bytes[20]! ^= 1;
  return bytes;
}

test("newer segments whose headers are damaged are no leftovers", async () => {
  const damaged = withNewer(await underOlderActive(), withHeaderDamaged);
  for (const image of [damaged, withNewer(damaged, (bytes) => bytes.fill(0))]) {
    await mustRefuse(image);
    const problems = await problemsOf(image);
    for (const name of NEWER) assert(problems.some((problem) => problem.includes(name)), name);
  }
});

test("one byte behind a header is more than a crash leaves", async () => {
  const image = await underOlderActive();
  const withoutHints = new Map([...image].filter(([name]) => !name.endsWith(".hint")));
  const shortened = (length: number, damaged: boolean) =>
    withNewer(withoutHints, (bytes) => {
      return (damaged ? withHeaderDamaged(bytes) : bytes).slice(0, length);
    });
  for (const damaged of [false, true]) {
    await mustRefuse(shortened(SEGMENT_FRAME_BYTES + 1, damaged));
    const leftover = shortened(SEGMENT_FRAME_BYTES, damaged);
    assert.deepEqual(await problemsOf(leftover), []);
    await mustOpen(fromImage(leftover), { readOnly: true });
    const fs = fromImage(leftover);
    await mustOpen(fs);
    for (const name of NEWER) assert.equal(fs.stat(`/store/wal/${name}`), undefined);
  }
});

test("a zero behind a whole header is what a crash leaves of the cut of a segment just begun", async () => {
  const image = await underOlderActive();
  const withoutHints = new Map([...image].filter(([name]) => !name.endsWith(".hint")));
  const behindHeader = (zeros: number, damaged: boolean) =>
    withNewer(withoutHints, (bytes) => {
      const begun = new Uint8Array(SEGMENT_FRAME_BYTES + zeros);
      begun.set((damaged ? withHeaderDamaged(bytes) : bytes).subarray(0, SEGMENT_FRAME_BYTES));
      return begun;
    });
  await mustRefuse(behindHeader(1, true));
  await mustRefuse(behindHeader(2, false));
  const leftover = behindHeader(1, false);
  assert.deepEqual(await problemsOf(leftover), []);
  const fs = fromImage(leftover);
  await mustOpen(fs);
  for (const name of NEWER) assert.equal(fs.stat(`/store/wal/${name}`), undefined);
});

test("a hint file beside a segment without a header lists records that it had", async () => {
  const image = await underOlderActive();
  const [name] = NEWER;
  assert(image.has(name!.replace("log", "hint")));
  const cut = withFile(withFile(image, NEWER[1]!, undefined), name!, new Uint8Array(7));
  await mustRefuse(cut);
  assert.equal((await problemsOf(cut)).length, 1);
});
