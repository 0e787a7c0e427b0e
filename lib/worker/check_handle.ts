/** Looks whether something is a handle of a store, before anything is read by it. */

import { KvError } from "../errors.ts";
import { isSharedIndex } from "../index/shared_index.ts";
import { KEY_BYTES_LIMIT } from "../limits.ts";
import { isSharedDurable } from "../log/shared_durable.ts";
import { isSharedTail } from "../log/shared_tail.ts";
import {
  CONTROL_MAGIC,
  CONTROL_WORDS,
  MAGIC,
  SHARED_STORE_KIND,
  SHARED_STORE_VERSION,
  type SharedStore,
} from "../store/shared_store.ts";

/** Throws `InvalidArgument` or `Unsupported` if `handle` is not one of this version. */
export function checkHandle(handle: unknown): asserts handle is SharedStore {
  if (typeof handle !== "object" || handle === null) throw notOne("it is no object");
  const { kind, version, path, directory, keyBytesMax, control, index, tail, durable, memoryMap } =
    handle as Partial<SharedStore>;
  if (kind !== SHARED_STORE_KIND) throw notOne("its kind is another");
  if (version !== SHARED_STORE_VERSION) {
    throw new KvError(
      "Unsupported",
      `The handle is of another version of Cairn (${String(version)}, this one has ` +
        `${SHARED_STORE_VERSION}): load the same version in all threads`,
    );
  }
  if (typeof path !== "string" || typeof directory !== "string" || directory === "") {
    throw notOne("it names no directory");
  }
  if (!Number.isInteger(keyBytesMax) || keyBytesMax! < 1 || keyBytesMax! > KEY_BYTES_LIMIT) {
    throw notOne("its longest key is impossible");
  }
  if (
    !(control instanceof SharedArrayBuffer) || control.byteLength !== CONTROL_WORDS * 4 ||
    new Int32Array(control)[MAGIC] !== CONTROL_MAGIC
  ) throw notOne("it has no state");
  if (!isSharedIndex(index)) throw notOne("it has no index");
  if (tail !== undefined && !isSharedTail(tail)) throw notOne("its tail is impossible");
  if (!isSharedDurable(durable) || typeof memoryMap !== "boolean") {
    throw notOne("it does not say how far its files stay");
  }
}

function notOne(what: string): KvError {
  return new KvError(
    "InvalidArgument",
    `This is no handle of a store (${what}): pass on what share() returned, and nothing else`,
  );
}
