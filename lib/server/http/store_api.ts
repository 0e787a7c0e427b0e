import type {
  DeleteOptions,
  Entry,
  KeyInput,
  SetOptions,
  SetResult,
  ValueInput,
  WriteResult,
} from "../../mod.ts";

/** What the HTTP service needs of a store; `KvStore` is one. */
export interface StoreApi {
  /** As `KvStore.getEntry`. */
  getEntry(key: KeyInput): Promise<Entry | undefined>;
  /** As `KvStore.has`. */
  has(key: KeyInput): boolean;
  /** As `KvStore.set`. */
  set(key: KeyInput, value: ValueInput, options?: SetOptions): Promise<SetResult>;
  /** As `KvStore.delete`. */
  delete(key: KeyInput, options?: DeleteOptions): Promise<WriteResult>;
}
