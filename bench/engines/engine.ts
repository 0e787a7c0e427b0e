/** What every store that is measured can do, and nothing that only some can. */

/** How much of what was written may be lost when the power fails. */
export type Durability =
  /** Nothing that was acknowledged. */
  | "durable"
  /** The newest part, and never a hole in the middle; the store is sound in any case. */
  | "batch"
  /** Anything: the store leaves it to the system when to write, and may be broken afterwards. */
  | "none";

/** A store that is measured. Keys are strings and values bytes, as a program has them. */
export interface Engine {
  /** How many keys {@link fill} is best given at once. */
  groupKeys: number;
  /** Sets keys, as fast as the store allows. */
  fill(keys: readonly string[], value: Uint8Array): Promise<void> | void;
  /** Waits until everything filled can be read, and is as durable as was asked for when opening. */
  flush(): Promise<void> | void;
  /** The value, which is the caller's own; without it only `getAsync` can be measured. */
  get?(key: string): Uint8Array | undefined;
  getAsync?(key: string): Promise<Uint8Array | undefined>;
  /** Resolves when the write is as durable as was asked for when opening. */
  set(key: string, value: Uint8Array): Promise<unknown>;
  close(): Promise<void> | void;
}

/** Opens a store in a directory that exists. */
export type OpenEngine = (directory: string, durability: Durability) => Promise<Engine>;

/** How many writes stores are given at once when they are filled. */
export const GROUP_OPERATIONS = 1000;
