/** An image of an index in memory: written, and read in the steps in which it was written. */

import { strict as assert } from "node:assert";
import type { IndexImageReader, IndexImageWriter } from "../../lib/index/index_image.ts";
import { KeyIndex } from "../../lib/index/key_index.ts";

/** Thrown by what reads an image that is none. */
export class Refused extends Error {}

/** An image in memory. */
export class Image implements IndexImageWriter, IndexImageReader {
  readonly parts: { words: Int32Array; isPage: boolean }[] = [];
  #next = 0;
  #reading = false;

  words(words: Int32Array): void {
    this.#pass(words, false);
  }

  page(words: Int32Array): void {
    this.#pass(words, true);
  }

  rewind(): this {
    this.#reading = true;
    this.#next = 0;
    return this;
  }

  expect(condition: boolean, what: string): asserts condition {
    if (!condition) throw new Refused(what);
  }

  #pass(words: Int32Array, isPage: boolean): void {
    if (!this.#reading) {
      this.parts.push({ words: words.slice(), isPage });
      return;
    }
    const part = this.parts[this.#next++]!;
    assert.equal(part.isPage, isPage, "read in the steps in which it was written");
    assert.equal(part.words.length, words.length);
    words.set(part.words);
  }
}

/** Writes an index. */
export function save(index: KeyIndex): Image {
  const image = new Image();
  for (const _ of index.save(image));
  return image;
}

/** Reads it back. */
export function load(image: Image, slabFirst = 0): KeyIndex {
  const steps = KeyIndex.load(image.rewind(), { slabFirst });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
