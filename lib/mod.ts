/**
 * Cairn: a crash-safe key/value store with an index in memory and an append-only log on disk.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 *
 * await using store = await KvStore.open("./data");
 * await store.set("greeting", "hello");
 * for await (const { key, version } of store.scan({ prefix: "gree" })) console.log(key, version);
 * ```
 *
 * @module
 */

export { KvStore } from "./store/store.ts";
export { KvReader } from "./worker/kv_reader.ts";
export type { ReaderOptions } from "./worker/kv_reader.ts";
export type { SharedStore } from "./store/shared_store.ts";
export { NOT_DIRECT } from "./store/direct_access.ts";
export type { DirectAccess } from "./store/direct_access.ts";
export { KvError } from "./errors.ts";
export type { KvErrorCode, KvErrorDetails } from "./errors.ts";
export { InvariantError } from "./assert.ts";
export { systemClock } from "./clock.ts";
export type { Clock, ScheduledTask } from "./clock.ts";
export { systemRandom } from "./random.ts";
export type { RandomSource } from "./random.ts";
export type { Logger } from "./telemetry/logger.ts";
export type { CompactionEvent, StoreObserver, SyncEvent } from "./telemetry/store_observer.ts";
export type {
  File,
  FileLock,
  FileStat,
  FileSystem,
  MappedBytes,
  OpenMode,
} from "./fs/file_system.ts";
export { MemoryFileSystem } from "./fs/memory_file_system.ts";
export type {
  ControlItem,
  DamageItem,
  EntryItem,
  FieldsItem,
  FileItem,
  InspectedFile,
  InspectItem,
  InspectOptions,
  RecordItem,
} from "./tools/inspect.ts";
export type {
  BrokenBatchReport,
  LostRange,
  RepairOptions,
  RepairReport,
  SkippedFile,
} from "./tools/repair.ts";
export type { CopyOptions, CopyReport } from "./tools/copy_store.ts";
export type { StoreFile, StoreSnapshot } from "./tools/store_snapshot.ts";
export type { VerifyProblem, VerifyReport } from "./tools/verify_report.ts";
export type {
  BatchCheck,
  BatchOp,
  BatchOptions,
  Change,
  ChangeFeed,
  ChangesOptions,
  CompactionOptions,
  CompactionResult,
  DeleteOptions,
  Durability,
  Entry,
  KeyInfo,
  KeyInput,
  OpenOptions,
  ReadOptions,
  ReplayStats,
  ScanOptions,
  SetOptions,
  SetResult,
  StoreStats,
  UpdateChange,
  ValueInput,
  WriteResult,
} from "./store/types.ts";
