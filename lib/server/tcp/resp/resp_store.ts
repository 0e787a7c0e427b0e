/** The part of a store that RESP commands use. */

import type { KvError } from "../../../errors.ts";
import type {
  BatchOp,
  BatchOptions,
  CompactionResult,
  DeleteOptions,
  Entry,
  KeyInfo,
  KeyInput,
  ScanOptions,
  SetOptions,
  SetResult,
  StoreStats,
  UpdateChange,
  ValueInput,
  WriteResult,
} from "../../../mod.ts";

/** What RESP commands need of a store; `KvStore` is one. */
export interface RespStore {
  /** As `KvStore.size`. */
  readonly size: number;
  /** As `KvStore.failure`. */
  readonly failure: KvError | undefined;
  /** As `KvStore.get`. */
  get(key: KeyInput): Promise<Uint8Array | undefined>;
  /** As `KvStore.getSync`. */
  getSync(key: KeyInput): Uint8Array | undefined;
  /** As `KvStore.getEntrySync`. */
  getEntrySync(key: KeyInput): Entry | undefined;
  /** As `KvStore.stat`. */
  stat(key: KeyInput): KeyInfo | undefined;
  /** As `KvStore.set`. */
  set(key: KeyInput, value: ValueInput, options?: SetOptions): Promise<SetResult>;
  /** As `KvStore.delete`. */
  delete(key: KeyInput, options?: DeleteOptions): Promise<WriteResult>;
  /** As `KvStore.batch`. */
  batch(ops: BatchOp[], options?: BatchOptions): Promise<WriteResult>;
  /** As `KvStore.update`. */
  update(change: UpdateChange): Promise<WriteResult>;
  /** As `KvStore.randomKey`. */
  randomKey(): string | undefined;
  /** As `KvStore.scan`. */
  scan(options?: ScanOptions): AsyncIterableIterator<Entry>;
  /** As `KvStore.compact`. */
  compact(): Promise<CompactionResult>;
  /** As `KvStore.stats`. */
  stats(): StoreStats;
}
