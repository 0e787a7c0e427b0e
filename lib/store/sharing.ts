/** What a store does for threads that read from it: hardly anything, and nothing for each of them. */

import { KvError } from "../errors.ts";
import { joinPath, WAL_NAME } from "../format/filename.ts";
import type { SharedIndex } from "../index/shared_index.ts";
import type { LogWriter } from "../log/log_writer.ts";
import { SharedDurableWriter } from "../log/shared_durable.ts";
import { SharedTailWriter } from "../log/shared_tail.ts";
import type { Keydir } from "./keydir.ts";
import type { ResolvedOptions } from "./options.ts";
import {
  CLOSED,
  CONTROL_MAGIC,
  CONTROL_WORDS,
  MAGIC,
  REMOVALS,
  SHARED_STORE_KIND,
  SHARED_STORE_VERSION,
  type SharedStore,
} from "./shared_store.ts";
import type { WritePath } from "./write_path.ts";

/** The sharing of one store. */
export class Sharing {
  readonly handle: SharedStore;

  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));

  /** Lets other threads read the store, as of now and from now on. */
  constructor(
    path: string,
    keydir: Keydir,
    write: WritePath,
    { keyBytesMax, memoryMap }: Pick<ResolvedOptions, "keyBytesMax" | "memoryMap">,
  ) {
    const control = this.#control;
    control[MAGIC] = CONTROL_MAGIC;
    keydir.segments.onRemoved = () => void Atomics.add(control, REMOVALS, 1);
    this.handle = {
      kind: SHARED_STORE_KIND,
      version: SHARED_STORE_VERSION,
      path,
      directory: joinPath(path, WAL_NAME),
      keyBytesMax,
      control: control.buffer,
      index: shareIndex(keydir),
      tail: write.commit === undefined ? shareTail(write.writer) : undefined,
      durable: shareDurable(write.writer),
      memoryMap,
    };
  }

  /** Lets readers know that the store was closed. */
  close(): void {
    Atomics.store(this.#control, CLOSED, 1);
  }
}

function shareIndex({ index }: Keydir): SharedIndex {
  try {
    return index.share();
  } catch (error) {
    throw new KvError(
      "Unsupported",
      "Cannot share the store: no address space of 16 GiB can be reserved for its index; allow " +
        "this process more (ulimit -v)",
      { cause: error },
    );
  }
}

/** Readers map what will stay of the files, and so have to know how much that is. */
function shareDurable(writer: LogWriter): SharedArrayBuffer {
  writer.shared = new SharedDurableWriter();
  // Of a segment that is just being begun, nothing is in its file yet.
  const { fileId, durableLength } = writer.closing ?? writer.segment;
  writer.shared.begin(fileId, durableLength);
  return writer.shared.memory;
}

/**
 * With durability { bytes, millis } records are visible before they are in the file. With
 * "immediate" they never are, and need no copy.
 */
function shareTail(writer: LogWriter) {
  const tail = new SharedTailWriter();
  tail.moveTo(writer.segment.fileId, writer.bufferStart);
  tail.append(writer.buffer.bytes, 0, writer.segment.length - writer.bufferStart);
  writer.tail = tail;
  if (tail.hides) writer.writeOut();
  return tail.memory;
}
