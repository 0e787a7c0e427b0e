/**
 * Every field of every frame, hint file and ACTIVE set to numbers that break programs, with the
 * checksum as it was, and made to hold: no crash, no long buffer, and nothing that was not written.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { ACTIVE_FIELDS, ACTIVE_SEGMENT_BYTES, SEGMENTS_LIMIT } from "../../lib/format/active.ts";
import { BATCH_FIELDS, SEGMENT_FIELDS, SYNC_FIELDS } from "../../lib/format/control_record.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import {
  HINT_BLOCK_HEADER_BYTES,
  HINT_ENTRY_FIELDS,
  HINT_FIELDS,
  HINT_HEADER_BYTES,
} from "../../lib/format/hint.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  KEY_LENGTH_OFFSET,
  LSN_OFFSET,
  MAGIC_OFFSET,
  OP_BATCH,
  OP_OFFSET,
  OP_SEGMENT,
  OP_SET_EXPIRING,
  OP_SYNC,
  VALUE_LENGTH_OFFSET,
  VERSION_OFFSET,
} from "../../lib/format/record.ts";
import { KEY_BYTES_LIMIT, LSN_LIMIT, VALUE_BYTES_LIMIT } from "../../lib/limits.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  withFile,
} from "../support/disk_image.ts";
import { type Frame, framesOf } from "../support/frames.ts";
import { longestAllocation } from "../support/fuzzing.ts";
import { writeGroups } from "../support/grouped_log.ts";
import { FIRST_LOG } from "../support/killed_store.ts";
import { HINT_NAMES, SEGMENT_NAMES, writeSegments } from "../support/segmented_store.ts";
import { mustRefuse, type Opened, problemsOf, tryToOpen } from "../support/store_outcome.ts";

const TIMEOUT_MS = 600_000;

const WORDS = [0, 1, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const LENGTHS = [7, 8, KEY_BYTES_LIMIT - 1, KEY_BYTES_LIMIT, KEY_BYTES_LIMIT + 1]
  .concat([VALUE_BYTES_LIMIT, VALUE_BYTES_LIMIT + 1, VALUE_BYTES_LIMIT + 8, VALUE_BYTES_LIMIT + 9]);
const LONGS = [0, 1, 2 ** 31, 2 ** 32, LSN_LIMIT - 1, LSN_LIMIT, LSN_LIMIT + 1, 2 ** 53]
  .map(BigInt).concat([2n ** 63n, 2n ** 64n - 1n]);

const OP_CODES = [0, 1, 2, 3, 4, 5, 6, 7, 127, 128, 255];

/** One field set to one number. */
interface Lie {
  what: string;
  at: number;
  size: 1 | 2 | 4 | 8;
  value: bigint;
}

function lies(what: string, at: number, size: Lie["size"], values: readonly (number | bigint)[]) {
  return values.map((value): Lie => ({ what: `${what} ${value}`, at, size, value: BigInt(value) }));
}

function told(bytes: Uint8Array, { at, size, value }: Lie): Uint8Array {
  const lying = bytes.slice();
  for (let index = 0; index < size; index++) lying[at + index] = Number(value >> BigInt(8 * index));
  return lying;
}

/** Lies about everything that a frame says of itself. */
function liesInFrame({ offset, op }: Frame): Lie[] {
  const value = offset + FRAME_HEADER_BYTES;
  const fields: Lie[][] = [
    lies("MAGIC", offset + MAGIC_OFFSET, 4, [0, 0xffffffff, FRAME_MAGIC + 1]),
    lies("VERSION", offset + VERSION_OFFSET, 2, [0, 2, 2 ** 15, 2 ** 16 - 1]),
    lies("OP", offset + OP_OFFSET, 1, OP_CODES),
    lies("LSN", offset + LSN_OFFSET, 8, LONGS),
    lies("key_len", offset + KEY_LENGTH_OFFSET, 4, [...WORDS, ...LENGTHS]),
    lies("val_len", offset + VALUE_LENGTH_OFFSET, 4, [...WORDS, ...LENGTHS]),
  ];
  if (op === OP_SET_EXPIRING) fields.push(lies("expires_at", value + 1, 8, LONGS));
  const names = op === OP_BATCH ? BATCH_FIELDS : op === OP_SYNC ? SYNC_FIELDS : SEGMENT_FIELDS;
  if (op >= OP_BATCH) {
    for (const [name, at] of Object.entries(names)) fields.push(lies(name, value + at, 4, WORDS));
  }
  return fields.flat();
}

/** The lie as damage, and as forgeries whose checksum stands where it was, or where it would be. */
function variants(log: Uint8Array, { offset, end }: Frame, lie: Lie): Uint8Array[] {
  const damaged = told(log, lie);
  const view = new DataView(damaged.buffer);
  const keyLength = view.getUint32(offset + KEY_LENGTH_OFFSET, true);
  const valueLength = view.getUint32(offset + VALUE_LENGTH_OFFSET, true);
  const endNow = offset + FRAME_HEADER_BYTES + keyLength + valueLength + 4;
  const results = [damaged];
  for (const crcEnd of new Set([end, endNow])) {
    if (crcEnd > log.length || crcEnd - 4 < offset + FRAME_HEADER_BYTES) continue;
    const forged = damaged.slice();
    const crc = crc32(forged, offset + OP_OFFSET, crcEnd - 4);
    new DataView(forged.buffer).setUint32(crcEnd - 4, crc, true);
    results.push(forged);
  }
  return results.filter((bytes) => bytes.some((byte, index) => byte !== log[index]));
}

/** Opens with `readOnly`, where no buffer of the writer hides a long one of the reader. */
async function openMeasured(files: DiskImage, bytesMax: number, what: string) {
  const fs = fromImage(files);
  let outcome: Opened | KvError | undefined;
  const longest = await longestAllocation(async () => {
    outcome = await tryToOpen(fs, { readOnly: true });
  });
  assert(longest <= bytesMax, `${what}: ${longest} bytes were allocated`);
  assertUntouched(fs, files);
  return outcome!;
}

/** The longest buffer that opening an undamaged store takes; its files are no longer than that. */
async function longestUndamaged(files: DiskImage): Promise<number> {
  let longest = 0;
  longest = await longestAllocation(() => tryToOpen(fromImage(files), { readOnly: true }));
  for (const bytes of files.values()) assert(bytes.length < longest);
  return longest;
}

test("any field of any frame: found below the durable mark, and harmless above it", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, states } = await writeGroups();
  const log = bytesOf(image, FIRST_LOG);
  const frames = framesOf(log);
  const lastGroup = frames.at(-2)!.offset;
  const bytesMax = await longestUndamaged(image);
  let count = 0;
  for (const frame of frames) {
    for (const lie of liesInFrame(frame)) {
      for (const [variant, bytes] of variants(log, frame, lie).entries()) {
        const what = `the frame at ${frame.offset}, ${lie.what}, variant ${variant}`;
        const files = withFile(image, FIRST_LOG, bytes);
        const outcome = await openMeasured(files, bytesMax, what);
        count++;
        if (outcome instanceof KvError) {
          assert.equal(outcome.code, "CorruptLog", `${what}: ${outcome.message}`);
        } else if (variant === 0 || frame.offset < lastGroup) {
          // Damage below is found; a forgery that is not found has changed nothing that is shown.
          assert(variant > 0 || frame.offset >= lastGroup, `${what} was not found`);
          assert(
            states.slice(-2).some((state) =>
              JSON.stringify(state) === JSON.stringify(outcome.state)
            ),
            `${what}: ${JSON.stringify(outcome.state)}`,
          );
        }
        if (count % 16 === 0) {
          if (outcome instanceof KvError) await mustRefuse(files);
          assert.equal((await problemsOf(files)).length > 0, outcome instanceof KvError, what);
        }
      }
    }
  }
  assert(count > 1000, `${count} variants`);
});

test("any field of a hint file: what it says wrong is not shown", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const name = HINT_NAMES[0]!;
  const hint = bytesOf(image, name);
  const bytesMax = await longestUndamaged(image);
  const header = Object.entries(HINT_FIELDS).flatMap(([field, at]) =>
    field === "lastLsn" ? lies(field, at, 8, LONGS) : lies(field, at, 4, WORDS)
  );
  const block = HINT_HEADER_BYTES + HINT_BLOCK_HEADER_BYTES;
  const view = new DataView(hint.buffer, hint.byteOffset, hint.byteLength);
  const blockEnd = block + view.getUint32(HINT_HEADER_BYTES, true);
  const lengths = lies("byteLength", HINT_HEADER_BYTES, 4, [...WORDS, ...LENGTHS, hint.length]);
  const entries: Lie[] = [];
  for (let at = block; at < blockEnd;) {
    const keyLength = view.getUint16(at + HINT_ENTRY_FIELDS.keyLengthMinusOne, true) + 1;
    entries.push(
      ...lies("op", at + HINT_ENTRY_FIELDS.op, 1, OP_CODES),
      ...lies("key length", at + HINT_ENTRY_FIELDS.keyLengthMinusOne, 2, [0, 1, 2 ** 15, 65535]),
      ...lies("lsnLow", at + HINT_ENTRY_FIELDS.lsnLow, 4, WORDS),
      ...lies("lsnHigh", at + HINT_ENTRY_FIELDS.lsnHigh, 2, [0, 1, 2 ** 15, 65535]),
      ...lies("offset", at + HINT_ENTRY_FIELDS.offset, 4, [...WORDS, 59, 4000, 2 ** 32 - 40]),
      ...lies("frameLength", at + HINT_ENTRY_FIELDS.frameLength, 4, [...WORDS, 4, 26, 27, 28, 600]),
      ...lies("crc", at + HINT_ENTRY_FIELDS.crc, 4, WORDS),
    );
    const isExpiring = view.getUint8(at) === OP_SET_EXPIRING;
    at += HINT_ENTRY_FIELDS.crc + 4;
    if (isExpiring) entries.push(...lies("expiresAt", at, 8, LONGS));
    at += isExpiring ? 8 : 0;
    entries.push(...lies("a key that is no text", at, 1, [0x80, 0xff]));
    at += keyLength;
  }
  const end = lies("entryCount", blockEnd + 4, 4, WORDS);
  for (const lie of [...header, ...lengths, ...entries, ...end]) {
    const damaged = told(hint, lie);
    const forged = damaged.slice();
    const forgedView = new DataView(forged.buffer);
    forgedView.setUint32(HINT_FIELDS.crc, crc32(forged, 0, HINT_FIELDS.crc), true);
    forgedView.setUint32(HINT_HEADER_BYTES + 4, crc32(forged, block, blockEnd), true);
    for (const bytes of [damaged, forged]) {
      const files = withFile(image, name, bytes);
      const what = `${lie.what} at ${lie.at}${bytes === forged ? ", forged" : ""}`;
      const outcome = await openMeasured(files, bytesMax, what);
      if (bytes === damaged) {
        assert(!(outcome instanceof KvError), `${what}: ${outcome}`);
        assert.deepEqual(outcome.state, opened.state, what);
      } else if (outcome instanceof KvError) {
        assert.equal(outcome.code, "CorruptLog", `${what}: ${outcome.message}`);
      } else {
        // A forgery can hide a key or make one up, but not give one a value that it did not have.
        for (const [key, value] of Object.entries(outcome.state)) {
          const values = [...WRITTEN[key] ?? [], opened.state[key]];
          const isMadeUp = values.every((each) => each === undefined);
          assert(isMadeUp || values.includes(value), `${what}: ${key}`);
        }
      }
      await problemsOf(files);
    }
  }
});

/** Older values of keys that {@link writeSegments} overwrites or deletes; a delete has an empty one. */
const WRITTEN: Record<string, string[]> = { a: ["1", "11"], c: ["3"], d: ["4", ""] };

test("any field of ACTIVE: refused, unless it makes no difference", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const active = bytesOf(image, "ACTIVE");
  const bytesMax = await longestUndamaged(image);
  const all = [
    ...lies("magic", ACTIVE_FIELDS.magic, 4, WORDS),
    ...lies("version", ACTIVE_FIELDS.version, 2, [0, 2, 2 ** 15, 2 ** 16 - 1]),
    ...lies("nodeId", ACTIVE_FIELDS.nodeId, 8, LONGS),
    ...lies("droppedLsn", ACTIVE_FIELDS.droppedLsn, 8, LONGS),
    ...lies("nextFileId", ACTIVE_FIELDS.nextFileId, 4, WORDS),
    ...lies("count", ACTIVE_FIELDS.count, 4, [...WORDS, 2, 4, SEGMENTS_LIMIT, SEGMENTS_LIMIT + 1]),
    ...SEGMENT_NAMES.flatMap((name, index) => {
      const at = ACTIVE_FIELDS.segments + ACTIVE_SEGMENT_BYTES * index;
      return ["fileId", "length", "chain"].flatMap((field, word) =>
        lies(`${field} of ${name}`, at + 4 * word, 4, [...WORDS, 2, 58, 59, 60])
      );
    }),
  ];
  let accepted = 0;
  for (const lie of all) {
    const damaged = told(active, lie);
    const forged = damaged.slice();
    const crcAt = forged.length - 4;
    new DataView(forged.buffer).setUint32(crcAt, crc32(forged, 0, crcAt), true);
    for (const bytes of [damaged, forged]) {
      const isSame = bytes.every((byte, index) => byte === active[index]);
      const files = withFile(image, "ACTIVE", bytes);
      const what = `${lie.what}${bytes === forged ? ", forged" : ""}`;
      const outcome = await openMeasured(files, bytesMax, what);
      if (outcome instanceof KvError) {
        assert(["CorruptLog", "Unsupported"].includes(outcome.code), `${what}: ${outcome.message}`);
        await mustRefuse(files, [outcome.code]);
        assert.equal((await problemsOf(files)).length > 0, true, what);
        continue;
      }
      assert(isSame || bytes === forged, `${what} was not found`);
      assert.deepEqual(outcome.state, opened.state, what);
      const written = await tryToOpen(fromImage(files));
      assert(!(written instanceof KvError), `${what}: refused for writing, but not for reading`);
      assert.deepEqual(written.state, opened.state, what);
      accepted++;
    }
  }
  assert(accepted < 40, `${accepted} of ${2 * all.length} make no difference`);
});

test("an ACTIVE longer than any can be is refused before it is read", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image } = await writeSegments();
  const bytesMax = await longestUndamaged(image);
  const long = new Uint8Array(ACTIVE_FIELDS.segments + 12 * SEGMENTS_LIMIT + 5);
  long.set(bytesOf(image, "ACTIVE"));
  const files = withFile(image, "ACTIVE", long);
  const fs = fromImage(files);
  let outcome: Opened | KvError | undefined;
  const longest = await longestAllocation(async () => {
    outcome = await tryToOpen(fs, { readOnly: true });
  });
  assert(outcome instanceof KvError && outcome.code === "CorruptLog");
  assert(longest <= bytesMax, `${longest} bytes were allocated`);
});

test("the frames of the small log are of every kind", async () => {
  const { image } = await writeGroups();
  const ops = new Set(framesOf(bytesOf(image, FIRST_LOG)).map(({ op }) => op));
  for (let op = 0; op <= OP_SEGMENT; op++) assert(ops.has(op), `operation ${op}`);
});
