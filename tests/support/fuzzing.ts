/** Inputs that no writer would write, by seed; and a watch over what is allocated for them. */

import process from "node:process";
import {
  FRAME_OVERHEAD_BYTES,
  KEY_LENGTH_OFFSET,
  LSN_OFFSET,
  OP_OFFSET,
  VALUE_LENGTH_OFFSET,
} from "../../lib/format/record.ts";
import { crc32 } from "../../lib/format/crc32.ts";
import { tally } from "./counted.ts";
import { joined } from "./disk_image.ts";
import { framesOf } from "./frames.ts";
import { SeededRandom } from "./seeded_random.ts";

const noteCase = tally("random mutations");

/** Numbers at which length fields tend to break. */
const HOSTILE_NUMBERS = [0, 1, 7, 8, 65_535, 65_536, 65_537, 1 << 20, 1 << 30, (1 << 30) + 1]
  .concat([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]);

/**
 * Runs `check` with many seeds: `runs` of them, times CAIRN_FUZZ_RUNS, from CAIRN_FUZZ_SEED on. What
 * fails says its seed.
 */
export async function fuzz(
  runs: number,
  check: (random: SeededRandom) => void | Promise<void>,
): Promise<void> {
  const first = Number(process.env["CAIRN_FUZZ_SEED"] ?? 1);
  const count = Math.ceil(runs * Number(process.env["CAIRN_FUZZ_RUNS"] ?? 1));
  for (let seed = first; seed < first + count; seed++) {
    noteCase();
    try {
      await check(new SeededRandom(seed));
    } catch (error) {
      throw new Error(`seed ${seed}; repeat with CAIRN_FUZZ_SEED=${seed}\n${error}`, {
        cause: error,
      });
    }
  }
}

/** Damages bytes a little or a lot: bits, runs, lengths, order. */
export function mutated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let times = random.between(1, 4); times > 0; times--) result = mutatedOnce(result, random);
  return result;
}

function mutatedOnce(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.between(1, 600));
  switch (random.below(9)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes.set(random.bytes(end - at), at);
      return bytes;
    case 2:
      return bytes.fill(random.pick([0, 0xff, 0xf1]), at, end);
    case 3:
      return bytes.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    case 5:
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    case 6:
      return joined(bytes, random.bytes(random.between(1, 5000)));
    case 7:
      if (bytes.length >= at + 4) {
        new DataView(bytes.buffer).setUint32(at, random.pick(HOSTILE_NUMBERS), true);
      }
      return bytes;
    default:
      return joined(bytes, new Uint8Array(random.pick([1, 512, 4096])));
  }
}

/** Changes one field of one frame and makes its checksum hold again: a lie, rather than damage. */
export function withLie(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const { offset, end } = random.pick(framesOf(bytes));
  const lying = bytes.slice();
  const view = new DataView(lying.buffer);
  switch (random.below(5)) {
    case 0:
      view.setUint8(offset + OP_OFFSET, random.below(8));
      break;
    case 1:
      view.setUint32(offset + LSN_OFFSET + random.pick([0, 4]), random.pick(HOSTILE_NUMBERS), true);
      break;
    case 2:
      view.setUint32(offset + KEY_LENGTH_OFFSET, random.pick(HOSTILE_NUMBERS), true);
      break;
    case 3:
      view.setUint32(offset + VALUE_LENGTH_OFFSET, random.pick(HOSTILE_NUMBERS), true);
      break;
    default: {
      const body = offset + FRAME_OVERHEAD_BYTES - 4;
      // The last four bytes before the checksum that are not of the header.
      const at = Math.max(body, end - 8 - random.below(end - body));
      if (at + 8 <= end) view.setUint32(at, random.pick(HOSTILE_NUMBERS), true);
    }
  }
  view.setUint32(end - 4, crc32(lying, offset + OP_OFFSET, end - 4), true);
  return lying;
}

/** Runs something and returns the length of the longest byte array that it allocated. */
export async function longestAllocation(run: () => unknown): Promise<number> {
  const original = globalThis.Uint8Array;
  let longest = 0;
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") longest = Math.max(longest, args[0]);
      return Reflect.construct(
        target,
        args,
        newTarget === globalThis.Uint8Array ? target : newTarget,
      );
    },
  });
  try {
    await run();
  } finally {
    globalThis.Uint8Array = original;
  }
  return longest;
}
