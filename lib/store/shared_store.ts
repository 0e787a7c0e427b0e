/** The handle by which other threads read a store, and the words that tell them about its state. */

import { SHARED_INDEX_LAYOUT, type SharedIndex } from "../index/shared_index.ts";
import type { SharedTailMemory } from "../log/shared_tail.ts";

/** Tells a handle from other objects. */
export const SHARED_STORE_KIND = "cairn.SharedStore";
/** Changes with every change of what a handle holds, or of what its memory means. */
export const SHARED_STORE_VERSION = 2 + 1000 * SHARED_INDEX_LAYOUT;

/**
 * A handle of a store that is open in this process, made by `KvStore.share`. `structuredClone` and
 * `postMessage` copy it as often as wanted, and `KvReader.attach` takes it. What it consists of is
 * nobody's business, and differs from one version of Cairn to the next.
 */
export interface SharedStore {
  /** What it is. */
  readonly kind: string;
  /** The version of Cairn's shared memory. */
  readonly version: number;
  /** The directory of the store, for messages. */
  readonly path: string;
  /** @internal */
  readonly directory: string;
  /** @internal */
  readonly keyBytesMax: number;
  /** @internal */
  readonly control: SharedArrayBuffer;
  /** @internal */
  readonly index: SharedIndex;
  /** @internal */
  readonly tail: SharedTailMemory | undefined;
  /** @internal */
  readonly durable: SharedArrayBuffer;
  /** The store's own option. @internal */
  readonly memoryMap: boolean;
}

/** Word of the control memory that is {@link CONTROL_MAGIC}. */
export const MAGIC = 0;
/** Word that is 1 once the store was closed. */
export const CLOSED = 1;
/** Word that counts how often files of the log were removed, which readers may still have open. */
export const REMOVALS = 2;
/** Words of the control memory. */
export const CONTROL_WORDS = 4;
/** What the control memory begins with. */
export const CONTROL_MAGIC = 0x4e524943;
