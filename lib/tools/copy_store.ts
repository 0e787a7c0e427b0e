/** Copies a snapshot into a directory, durably: what backup and restore have in common. */

import { assert } from "../assert.ts";
import { KvError } from "../errors.ts";
import { joinPath } from "../format/filename.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { writeFully } from "../fs/whole_file.ts";
import { NewStore } from "./new_store.ts";
import { ACTIVE_PATH, type StoreFile, type StoreSnapshot } from "./store_snapshot.ts";

/** Options of {@link KvStore.backup} and {@link KvStore.restore}. */
export interface CopyOptions {
  /** Gives the copy up when it is aborted: what was written is removed, the reason is thrown. */
  signal?: AbortSignal;
}

/** What a backup or a restore has copied. */
export interface CopyReport {
  /** The version that the copied store is at: it holds everything up to this one. */
  version: number;
  /** Number of files. */
  files: number;
  /** Bytes of them all. */
  bytes: number;
}

/** What to copy, and whereto. */
export interface CopyTask {
  fs: FileSystem;
  snapshot: StoreSnapshot;
  /** The directory of the store that is copied. */
  source: string;
  destination: string;
  /** What is done, to complete "Cannot …" followed by the destination. */
  task: string;
  signal: AbortSignal | undefined;
  /** Awaited when the copy is complete; if it throws, the copy is given up. */
  check?: () => Promise<void>;
}

/**
 * Copies a store into a directory that does not exist or is empty. When this resolves, the copy is
 * on stable storage. If it throws, whatever the reason, what was written is removed.
 */
export async function copyStore(copyTask: CopyTask): Promise<CopyReport> {
  const { fs, snapshot, source, destination, task, signal, check } = copyTask;
  signal?.throwIfAborted();
  const report = { version: snapshot.version, files: 0, bytes: 0 };
  let store: NewStore | undefined;
  try {
    store = new NewStore(fs, source, destination, task);
    for await (const file of snapshot.files()) {
      if (file.name === ACTIVE_PATH) store.finish(await gather(file));
      else await writeFile(store, file, signal);
      report.files++;
      report.bytes += file.length;
    }
    await check?.();
    return report;
  } catch (error) {
    store?.abandon();
    throw explain(error, task, destination);
  } finally {
    store?.release();
  }
}

async function writeFile(
  { fs, path }: NewStore,
  { name, length, pieces }: StoreFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = fs.open(joinPath(path, name), "create");
  try {
    let position = 0;
    for await (const piece of pieces()) {
      signal?.throwIfAborted();
      writeFully(file, piece, 0, piece.length, position);
      position += piece.length;
    }
    assert(position === length, `${name} has ${position} bytes, not ${length}`);
    await file.syncAsync();
    signal?.throwIfAborted();
  } finally {
    file.close();
  }
}

async function gather({ length, pieces }: StoreFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let position = 0;
  for await (const piece of pieces()) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return bytes;
}

/** A full disk is that of the copy: the store that is copied goes on. */
function explain(error: unknown, task: string, path: string): unknown {
  if (!(error instanceof KvError) || error.code !== "NoSpace") return error;
  return new KvError(
    "NoSpace",
    `Cannot ${task} ${path}: the disk is full there; free some space, or choose another disk, and ` +
      `try again`,
    { cause: error, path: error.path ?? path },
  );
}
