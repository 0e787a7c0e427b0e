/**
 * Every interleaving of a thread that changes an index with threads that read it, in the real code.
 *
 * The changes run once, and every word that they write to shared memory is put down, in order. Then
 * a reader runs again and again over that memory as it was at any time: whenever it reads a word that
 * is yet to change, it may find each of the values from now on. To find a value at the earliest time
 * possible leaves all later ones open to the next read, so these are all the interleavings there are,
 * up to those that no read can tell apart.
 */

import { strict as assert } from "node:assert";
import type { IndexViews } from "../../lib/index/index_reader.ts";
import { KeyIndex } from "../../lib/index/key_index.ts";
import { load, save } from "./memory_image.ts";

/** One word that was written. */
export interface WordWrite {
  memory: number;
  word: number;
  before: number;
  after: number;
}

/** Numbers of the memories: those of the slabs follow. */
export const DIRECTORY = 0;
export const SHARDS = 1;
const FIRST_SLAB = 2;

/** Thrown through a reader whose further ways are known. */
const KNOWN = new Error("known");

const realArray = Int32Array;
const { add: realAdd, load: realLoad } = Atomics;

/** An index whose writes to shared memory are put down while `recording`. */
export class RecordedIndex {
  readonly index: KeyIndex;
  readonly writes: WordWrite[] = [];
  recording = false;

  readonly #memories: Int32Array[] = [];
  readonly #views = new Map<Int32Array, Int32Array>();

  /** The order in which an index makes its memories: the first slab, directory, shards, slabs. */
  readonly #placeOfFirstSlab: number;

  /** A new index; or what reading the image of `saved` makes, which has a first slab of its own. */
  constructor(saved?: KeyIndex) {
    this.#placeOfFirstSlab = saved === undefined ? 0 : 3;
    const image = saved && save(saved);
    this.index = this.#patched(() =>
      image === undefined ? new KeyIndex({ hashSeed: 1 }) : load(image)
    );
  }

  /** Runs a change of the index. */
  change(run: (index: KeyIndex) => void): void {
    this.#patched(() => run(this.index));
  }

  /** Memories by number, as they are at the end. */
  memory(number: number): Int32Array {
    const place = number < FIRST_SLAB
      ? number + 1
      : number === FIRST_SLAB
      ? this.#placeOfFirstSlab
      : number + (this.#placeOfFirstSlab === 0 ? 0 : 1);
    return this.#memories[place]!;
  }

  #number(view: Int32Array): number {
    const place = this.#memories.indexOf(view);
    if (place === this.#placeOfFirstSlab) return FIRST_SLAB;
    if (place < 3) return place - 1;
    return place - (this.#placeOfFirstSlab === 0 ? 0 : 1);
  }

  #patched<Result>(run: () => Result): Result {
    const wrap = (view: Int32Array) => this.#wrap(view);
    globalThis.Int32Array = new Proxy(realArray, {
      construct(target, args) {
        const view = Reflect.construct(target, args) as Int32Array;
        const isMemory = args[0] instanceof SharedArrayBuffer && args[0].byteLength > 0;
        return isMemory ? wrap(view) : view;
      },
    });
    Atomics.add = ((view: Int32Array, at: number, value: number) => {
      const target = this.#views.get(view);
      if (target === undefined) return realAdd(view, at, value);
      const before = target[at]!;
      this.#write(target, at, before + value);
      return before;
    }) as unknown as typeof Atomics.add;
    try {
      return run();
    } finally {
      globalThis.Int32Array = realArray;
      Atomics.add = realAdd;
    }
  }

  #write(view: Int32Array, word: number, value: number): void {
    const before = view[word]!;
    view[word] = value;
    const after = view[word]!;
    if (!this.recording || before === after) return;
    this.writes.push({ memory: this.#number(view), word, before, after });
  }

  #wrap(view: Int32Array): Int32Array {
    this.#memories.push(view);
    const proxy = new Proxy(view, {
      get: (target, name) => {
        if (name === "fill") {
          return (value: number, start: number, end: number) => {
            for (let word = start; word < end; word++) this.#write(target, word, value);
          };
        }
        // To read an image, which is over before anybody looks.
        if (name === "subarray" && !this.recording) return target.subarray.bind(target);
        const value = Reflect.get(target, name, target);
        assert(typeof value !== "function", `${String(name)} is not recorded`);
        return value;
      },
      set: (target, name, value) => {
        this.#write(target, Number(name), value);
        return true;
      },
    });
    this.#views.set(proxy, view);
    return proxy;
  }
}

/** A value that a word has from some position in the writes on. */
interface Step {
  position: number;
  value: number;
}

/**
 * What a reader is kept from seeing, so that it acts as one that does not look: that a sequence has
 * changed when it looks `"again"`, or that one is `"odd"`.
 */
export type Blindness = "none" | "again" | "odd";

/** The memory of a recorded index at all times. */
export class Timeline {
  /** Writes there are. */
  readonly end: number;

  readonly #recorded: RecordedIndex;
  readonly #steps = new Map<number, Map<number, Step[]>>();
  readonly #blindness: Blindness;
  #position = 0;
  #choices: { taken: number; count: number }[] = [];
  #depth = 0;
  /** Where attempts began, and the choices that led there first. */
  readonly #attempts = new Map<number, string>();
  /** The sequences that the reader's present attempt has loaded. */
  #sawOdd = false;
  #known = false;
  #loads: { memory: number; word: number; value: number }[] = [];

  /** `writes` are those of `recorded`, or what a test makes of them. */
  constructor(recorded: RecordedIndex, writes: readonly WordWrite[], blindness: Blindness) {
    this.#recorded = recorded;
    this.#blindness = blindness;
    this.end = writes.length;
    const values = new Map<string, number>();
    for (const { memory, word, before } of recorded.writes) {
      const name = `${memory}:${word}`;
      if (!values.has(name)) values.set(name, before);
      this.#stepsOf(memory, word, before);
    }
    writes.forEach(({ memory, word, after }, index) => {
      this.#stepsOf(memory, word, 0).push({ position: index + 1, value: after });
    });
  }

  /**
   * Runs `read` in every way, from position `start` on. `visit` is told of each result and of the
   * position at which it came.
   */
  explore<Result>(
    start: number,
    read: (views: IndexViews) => Result,
    visit: (result: Result, end: number) => void,
  ): number {
    this.#choices = [];
    this.#attempts.clear();
    for (let runs = 1;; runs++) {
      this.#position = start;
      this.#depth = 0;
      this.#loads = [];
      this.#sawOdd = false;
      this.#known = false;
      try {
        visit(this.#patched(() => read(this.#views())), this.#position);
      } catch (error) {
        if (error !== KNOWN) throw error;
      }
      this.#choices.length = this.#depth;
      let last = this.#choices.at(-1);
      while (last !== undefined && last.taken + 1 === last.count) {
        this.#choices.pop();
        last = this.#choices.at(-1);
      }
      if (last === undefined) return runs;
      last.taken++;
    }
  }

  #stepsOf(memory: number, word: number, initial: number): Step[] {
    let words = this.#steps.get(memory);
    if (words === undefined) this.#steps.set(memory, words = new Map());
    let steps = words.get(word);
    if (steps === undefined) words.set(word, steps = [{ position: 0, value: initial }]);
    return steps;
  }

  /**
   * Reads a word at the present position, or at a later one. If it is only compared with a value,
   * one that differs is as good as any.
   */
  #read(memory: number, word: number, compared?: number): number | undefined {
    if (this.#known) throw KNOWN;
    const steps = this.#steps.get(memory)?.get(word);
    if (steps === undefined) return this.#recorded.memory(memory)[word];
    let present = 0;
    while (present + 1 < steps.length && steps[present + 1]!.position <= this.#position) present++;
    const options = [{ position: this.#position, value: steps[present]!.value }];
    for (const step of steps.slice(present + 1)) {
      if (!options.some(({ value }) => value === step.value)) options.push(step);
    }
    if (compared !== undefined) options.splice(options[0]!.value === compared ? 2 : 1);
    if (options.length === 1) return options[0]!.value;
    const choice = this.#choices[this.#depth] ??= { taken: 0, count: options.length };
    assert.equal(choice.count, options.length, "a reader does the same in the same situation");
    this.#depth++;
    const { position, value } = options[choice.taken]!;
    this.#position = position;
    return value;
  }

  /** Loads a sequence number: at the beginning of an attempt, or to see that it has not changed. */
  #load(memory: number, word: number): number {
    // The reader has given its attempt up, and begins another.
    if (this.#sawOdd && memory === DIRECTORY) this.#skipToChange();
    this.#sawOdd = false;
    const loaded = this.#loads.find((each) => each.memory === memory && each.word === word);
    if (this.#blindness === "again" && loaded !== undefined) {
      if (memory === DIRECTORY) this.#loads = [];
      return loaded.value;
    }
    const isKnown = memory === DIRECTORY && loaded === undefined && !this.#isNewAttempt();
    const value = this.#read(memory, word, loaded?.value)!;
    // Not before the next read: a reader that fails to begin anew ends here, and is to be seen.
    this.#known = isKnown;
    if (loaded === undefined) {
      this.#loads.push({ memory, word, value });
      this.#sawOdd = (value & 1) !== 0 && this.#blindness !== "odd";
    } else if (value !== loaded.value || memory === DIRECTORY) this.#loads = [];
    return this.#blindness === "odd" ? value * 2 : value;
  }

  /** An attempt knows nothing of earlier ones: all that comes of it depends on where it begins. */
  #isNewAttempt(): boolean {
    const way = this.#choices.slice(0, this.#depth).map(({ taken }) => taken).join();
    const first = this.#attempts.get(this.#position);
    if (first === undefined) this.#attempts.set(this.#position, way);
    return first === undefined || first === way;
  }

  /** The next attempt would fail in the same way until one of the sequences changes. */
  #skipToChange(): void {
    const positions = this.#loads.flatMap(({ memory, word }) =>
      this.#steps.get(memory)?.get(word)?.map(({ position }) => position) ?? []
    ).filter((position) => position > this.#position);
    assert(positions.length > 0, "a sequence number does not stay odd");
    this.#position = Math.min(...positions);
    this.#loads = [];
  }

  #views(): IndexViews {
    return {
      hashSeed: 1,
      directory: this.#view(DIRECTORY),
      shards: this.#view(SHARDS),
      slab: (number) => {
        const exists = this.#recorded.memory(FIRST_SLAB + number) !== undefined;
        return exists ? this.#view(FIRST_SLAB + number) : undefined;
      },
    };
  }

  #view(memory: number): Int32Array {
    const view = new Proxy(new realArray(0), {
      get: (_, name) => this.#read(memory, Number(name)),
    });
    this.#memoryOf.set(view, memory);
    return view;
  }

  readonly #memoryOf = new WeakMap<object, number>();

  #patched<Result>(run: () => Result): Result {
    const load = (view: Int32Array, at: number) => {
      const memory = this.#memoryOf.get(view);
      return memory === undefined ? realLoad(view, at) : this.#load(memory, at);
    };
    Atomics.load = load as unknown as typeof Atomics.load;
    // On some machines it is how a reader loads: it adds 0.
    Atomics.add = load as unknown as typeof Atomics.add;
    try {
      return run();
    } finally {
      Atomics.load = realLoad;
      Atomics.add = realAdd;
    }
  }
}
