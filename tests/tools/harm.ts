/** Damages the files of a store, and knows which bytes are still what they were. */

import { Buffer } from "node:buffer";
import { bytesOf, type DiskImage } from "../support/disk_image.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { segmentNames, type WrittenFrame } from "./written_records.ts";

/** For every byte of a file where it was originally; -1 if it is new or changed. */
type Origins = Int32Array;

/** Harm done to a copy of an image. */
export class Harm {
  readonly image: DiskImage;
  /** What was done, in words. */
  readonly log: string[] = [];

  #original: DiskImage;
  #random: SeededRandom;
  #origins = new Map<string, Origins>();
  /** Where the bytes of the originals are now. */
  #positions: Map<string, Int32Array> | undefined;
  #sizes = new Map<string, number>();

  constructor(image: DiskImage, random: SeededRandom) {
    this.#original = image;
    this.image = new Map([...image].map(([name, bytes]) => [name, bytes.slice()]));
    this.#random = random;
    for (const [name, bytes] of image) {
      this.#origins.set(name, Int32Array.from(bytes, (_, at) => at));
      this.#sizes.set(name, bytes.length);
    }
  }

  /** Does `count` random things to random files. */
  inflict(count: number): void {
    const random = this.#random;
    for (let done = 0; done < count; done++) {
      const name = random.chance(0.9)
        ? random.pick(segmentNames(this.image))
        : random.pick([...this.image.keys()]);
      const what = random.pick(["flip", "flip", "flip", "overwrite", "insert", "cut", "append"]);
      this.#inflict(name, what);
    }
    if (random.chance(0.15) && this.image.delete("ACTIVE")) this.log.push("no ACTIVE");
  }

  /** Whether all bytes of a frame are there, unchanged and together. */
  isUnharmed(frame: WrittenFrame): boolean {
    const positions = this.#positionsOf(frame.name);
    const first = positions[frame.offset]!;
    if (first < 0) return false;
    for (let at = 1; at < frame.length; at++) {
      if (positions[frame.offset + at] !== first + at) return false;
    }
    return true;
  }

  /** Whether the bytes of a harmed frame are still somewhere, as in a value that holds a copy. */
  hasCopy(frame: WrittenFrame): boolean {
    const original = Buffer.from(
      bytesOf(this.#original, frame.name).subarray(frame.offset, frame.offset + frame.length),
    );
    return [...this.image.values()].some((bytes) => Buffer.from(bytes).includes(original));
  }

  /** Whether frames that were neighbours still are. */
  areTogether(frames: readonly WrittenFrame[]): boolean {
    const { name, offset } = frames[0]!;
    const positions = this.#positionsOf(name);
    return frames.every((frame) =>
      positions[frame.offset]! - positions[offset]! === frame.offset - offset
    );
  }

  /** Whether all harmed records are the last ones of the log. */
  isOnlyTail(records: readonly WrittenFrame[]): boolean {
    const isHarmed = (record: WrittenFrame) =>
      (record.batch?.slice(1) ?? [record]).some((frame) => !this.isUnharmed(frame));
    const first = records.findIndex(isHarmed);
    return first >= 0 && records.slice(first).every(isHarmed);
  }

  #inflict(name: string, what: string): void {
    const random = this.#random;
    const bytes = bytesOf(this.image, name);
    const at = random.below(bytes.length + 1);
    const length = random.pick([1, 1, 2, 30, 200, 512]);
    this.log.push(`${what} ${name} at ${at} of ${bytes.length}, ${length}`);
    if (what === "flip") this.#change(name, at, 1, (byte) => byte ^ (1 << random.below(8)));
    else if (what === "overwrite") {
      const zeros = random.chance(0.5);
      this.#change(name, at, length, () => zeros ? 0 : random.below(256));
    } else if (what === "insert") this.#splice(name, at, 0, random.bytes(length));
    else if (what === "append") this.#splice(name, bytes.length, 0, new Uint8Array(length));
    else this.#splice(name, at, bytes.length - at, new Uint8Array(0));
  }

  #change(name: string, at: number, length: number, change: (byte: number) => number): void {
    const bytes = bytesOf(this.image, name);
    const origins = this.#origins.get(name)!;
    for (let index = at; index < Math.min(at + length, bytes.length); index++) {
      const before = bytes[index]!;
      bytes[index] = change(before);
      if (bytes[index] !== before) origins[index] = -1;
    }
  }

  #splice(name: string, at: number, removed: number, added: Uint8Array): void {
    const bytes = bytesOf(this.image, name);
    const origins = this.#origins.get(name)!;
    const rest = at + removed;
    const result = new Uint8Array(bytes.length - removed + added.length);
    result.set(bytes.subarray(0, at));
    result.set(added, at);
    result.set(bytes.subarray(rest), at + added.length);
    this.image.set(name, result);
    const resultOrigins = new Int32Array(result.length).fill(-1);
    resultOrigins.set(origins.subarray(0, at));
    resultOrigins.set(origins.subarray(rest), at + added.length);
    this.#origins.set(name, resultOrigins);
  }

  #positionsOf(name: string): Int32Array {
    this.#positions ??= new Map([...this.#origins].map(([each, origins]) => {
      const positions = new Int32Array(this.#sizes.get(each)!).fill(-1);
      origins.forEach((origin, at) => {
        if (origin >= 0) positions[origin] = at;
      });
      return [each, positions];
    }));
    return this.#positions.get(name)!;
  }
}
