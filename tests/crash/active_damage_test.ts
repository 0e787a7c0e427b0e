/** ACTIVE and NODE_ID damaged, missing, or not this store's: refused, with nothing touched. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvStore } from "../../lib/store/store.ts";
import {
  ACTIVE_FIELDS,
  type ActiveState,
  decodeActive,
  encodeActive,
} from "../../lib/format/active.ts";
import { SEGMENT_FRAME_BYTES } from "../../lib/format/control_record.ts";
import {
  bytesOf,
  fromImage,
  joined,
  takeImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { SEGMENT_NAMES, withoutHints, writeSegments } from "../support/segmented_store.ts";
import { mustOpen, mustRefuse, problemsOf } from "../support/store_outcome.ts";
import { PATH } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;

test("ACTIVE cut at any byte is refused", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  const active = bytesOf(image, "ACTIVE");
  for (let length = 0; length < active.length; length++) {
    const damaged = withFile(image, "ACTIVE", active.subarray(0, length));
    await mustRefuse(damaged);
    assert.equal((await problemsOf(damaged)).length, 1);
  }
  await mustRefuse(withFile(image, "ACTIVE", joined(active, new Uint8Array(1))));
  await mustRefuse(withFile(image, "ACTIVE", joined(active, active)));
  await mustRefuse(withFile(image, "ACTIVE", new Uint8Array(active.length)));
});

test("ACTIVE with any bit flipped is refused", { timeout: TIMEOUT_MS }, async () => {
  const { image } = await writeSegments();
  const active = bytesOf(image, "ACTIVE");
  for (let bit = 0; bit < 8 * active.length; bit++) {
    const damaged = withFile(image, "ACTIVE", withBitFlipped(active, bit));
    const isVersion = bit >>> 3 === ACTIVE_FIELDS.version ||
      bit >>> 3 === ACTIVE_FIELDS.version + 1;
    await mustRefuse(damaged, isVersion ? ["Unsupported", "CorruptLog"] : ["CorruptLog"]);
    if (bit % 8 === 0) assert.equal((await problemsOf(damaged)).length, 1);
  }
});

test(
  "an ACTIVE of a newer format is Unsupported, whatever else it holds",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    const newer = bytesOf(image, "ACTIVE").slice();
    newer[ACTIVE_FIELDS.version] = 2;
    await mustRefuse(withFile(image, "ACTIVE", newer), ["Unsupported"]);
    await mustRefuse(withFile(image, "ACTIVE", newer.subarray(0, 60)), [
      "Unsupported",
      "CorruptLog",
    ]);
  },
);

test("an ACTIVE that contradicts itself or the segments is refused, though its checksum holds", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image } = await writeSegments();
  const state = decodeActive(bytesOf(image, "ACTIVE"));
  assert("segments" in state);
  const [first, second, newest] = state.segments;
  assert(first !== undefined && second !== undefined && newest !== undefined);
  const lies: Record<string, Partial<ActiveState>> = {
    "no segment": { segments: [] },
    "a segment twice": { segments: [first, second, second, newest] },
    "a segment that was never created": {
      segments: [first, second, { ...newest, fileId: state.nextFileId }],
    },
    "segment 0": { segments: [{ ...first, fileId: 0 }, second, newest] },
    "segments in another order": { segments: [second, first, newest] },
    "a closed segment without a length": { segments: [first, { ...second, length: 0 }, newest] },
    "a newest segment that was longer": {
      segments: [first, second, { ...newest, length: newest.length + 1 }],
    },
    "another length": { segments: [{ ...first, length: first.length + 1 }, second, newest] },
    "another chain": { segments: [first, { ...second, chain: second.chain ^ 1 }, newest] },
    "an impossible LSN": { droppedLsn: 2 ** 52 },
  };
  for (const [what, lie] of Object.entries(lies)) {
    for (const files of [image, withoutHints(image)]) {
      const damaged = withFile(files, "ACTIVE", encodeActive({ ...state, ...lie }));
      await mustRefuse(damaged).catch((cause) => assert.fail(`${what}: ${cause}`));
    }
  }
});

test(
  "without ACTIVE, segments that hold records are not written over",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    await mustRefuse(withFile(image, "ACTIVE", undefined));
    assert.equal((await problemsOf(withFile(image, "ACTIVE", undefined))).length, 1);
    const onlyLog = new Map([[FIRST_LOG, bytesOf(image, FIRST_LOG)]]);
    await mustRefuse(onlyLog);
    const hint = SEGMENT_NAMES[0]!.replace(".log", ".hint");
    await mustRefuse(new Map([[hint, bytesOf(image, hint)]]));
    // A byte too many may be one that was to be cut off again, but not with anything in it, nor two.
    for (const more of [Uint8Array.of(1), new Uint8Array(2)]) {
      const header = bytesOf(image, FIRST_LOG).subarray(0, SEGMENT_FRAME_BYTES);
      await mustRefuse(new Map([[FIRST_LOG, joined(header, more)]]));
    }
    // One that was just begun holds nothing, but others were there before it.
    const begun = bytesOf(image, SEGMENT_NAMES[1]!).subarray(0, SEGMENT_FRAME_BYTES);
    await mustRefuse(new Map([[SEGMENT_NAMES[1]!, begun]]));
  },
);

test("what a crash leaves of creating a store is cleared away, and the store begun", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image } = await writeSegments();
  const header = bytesOf(image, FIRST_LOG).subarray(0, SEGMENT_FRAME_BYTES);
  const nodeId = bytesOf(image, "NODE_ID");
  const short = [new Uint8Array(0), header.subarray(0, 20), new Uint8Array(SEGMENT_FRAME_BYTES)];
  for (const log of [...short, header, joined(header, new Uint8Array(1))]) {
    const left = new Map([["NODE_ID", nodeId], [FIRST_LOG, log], ["ACTIVE.tmp", log]]);
    const fs = fromImage(left);
    assert.deepEqual((await mustOpen(fs)).state, {});
    const found = takeImage(fs);
    assert.deepEqual(found.get("NODE_ID"), nodeId, "the identity stays");
    assert(!found.has("ACTIVE.tmp"));
  }
});

test(
  "a missing NODE_ID is written anew, with the same identity",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image, opened } = await writeSegments();
    const fs = fromImage(withFile(image, "NODE_ID", undefined));
    assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, opened.state);
    assert(!takeImage(fs).has("NODE_ID"), "a reader writes nothing");
    assert.deepEqual((await mustOpen(fs)).state, opened.state);
    assert.deepEqual(takeImage(fs).get("NODE_ID"), bytesOf(image, "NODE_ID"));
    const { problems } = await KvStore.verify(PATH, { fileSystem: fs });
    assert.deepEqual(problems, []);
  },
);

test(
  "a NODE_ID that is damaged, or of another store, is refused",
  { timeout: TIMEOUT_MS },
  async () => {
    const { image } = await writeSegments();
    const other = await writeSegments();
    const nodeId = bytesOf(image, "NODE_ID");
    const wrong = [
      bytesOf(other.image, "NODE_ID"),
      new Uint8Array(0),
      new Uint8Array(nodeId.length),
      nodeId.subarray(0, 20),
      joined(nodeId, nodeId),
      new Uint8Array(100_000).fill(0x61),
    ];
    for (const bytes of wrong) {
      await mustRefuse(withFile(image, "NODE_ID", bytes));
      assert.equal((await problemsOf(withFile(image, "NODE_ID", bytes))).length, 1);
    }
    for (let length = 0; length < nodeId.length - 1; length++) {
      await mustRefuse(withFile(image, "NODE_ID", nodeId.subarray(0, length)));
    }
    let harmless = 0;
    for (let bit = 0; bit < 8 * nodeId.length; bit++) {
      const flipped = withBitFlipped(nodeId, bit);
      const text = new TextDecoder().decode(flipped);
      // A letter in upper case, or another white space at the end, is the same identity.
      if (text.trim().toLowerCase() === new TextDecoder().decode(nodeId).trim()) harmless++;
      else await mustRefuse(withFile(image, "NODE_ID", flipped));
    }
    assert(harmless <= 32 + 8, `${harmless} bits make no difference`);
  },
);
