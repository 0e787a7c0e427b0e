import type { KvError } from "../../errors.ts";
import type {
  BatchOp,
  BatchOptions,
  ChangeFeed,
  ChangesOptions,
  CompactionResult,
  DeleteOptions,
  DirectAccess,
  Entry,
  KeyInfo,
  KeyInput,
  ReadOptions,
  ScanOptions,
  SetOptions,
  SetResult,
  StoreSnapshot,
  StoreStats,
  ValueInput,
  WriteResult,
} from "../../mod.ts";

/** What the HTTP service needs of a store; `KvStore` is one. */
export interface StoreApi {
  /** As `KvStore.failure`. */
  readonly failure: KvError | undefined;
  /**
   * As `KvStore.direct`; what it does, the methods below are not asked for.
   *
   * @internal
   */
  readonly direct?: DirectAccess;
  /** As `KvStore.getEntry`. */
  getEntry(key: KeyInput): Promise<Entry | undefined>;
  /** As `KvStore.getEntrySync`. */
  getEntrySync(key: KeyInput, options?: ReadOptions): Entry | undefined;
  /** As `KvStore.stat`. */
  stat(key: KeyInput): KeyInfo | undefined;
  /** As `KvStore.scan`. */
  scan(options?: ScanOptions): AsyncIterableIterator<Entry>;
  /** As `KvStore.changes`. */
  changes(options?: ChangesOptions): ChangeFeed;
  /** As `KvStore.snapshot`. */
  snapshot(): Promise<StoreSnapshot>;
  /** As `KvStore.set`. */
  set(key: KeyInput, value: ValueInput, options?: SetOptions): Promise<SetResult>;
  /** As `KvStore.delete`. */
  delete(key: KeyInput, options?: DeleteOptions): Promise<WriteResult>;
  /** As `KvStore.batch`. */
  batch(ops: BatchOp[], options?: BatchOptions): Promise<WriteResult>;
  /** As `KvStore.flush`. */
  flush(): Promise<void>;
  /** As `KvStore.compact`. */
  compact(): Promise<CompactionResult>;
  /** As `KvStore.stats`. */
  stats(): StoreStats;
}
