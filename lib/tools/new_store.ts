/**
 * The directory that a backup, a restore or a repair makes a store in. From the first file on until
 * everything is durable, {@link ACTIVE_UNFINISHED} stands in the place of ACTIVE, so that what an
 * interruption leaves is neither taken for a store nor for an empty directory.
 */

import { dirname, resolve } from "node:path";
import { KvError } from "../errors.ts";
import { ACTIVE_UNFINISHED, isUnfinished } from "../format/active.ts";
import {
  ACTIVE_NAME,
  joinPath,
  LOCK_NAME,
  TEMPORARY_SUFFIX,
  WAL_NAME,
} from "../format/filename.ts";
import { removeDurably, replaceDurably } from "../fs/durable.ts";
import type { FileLock, FileSystem } from "../fs/file_system.ts";
import { readFile } from "../fs/whole_file.ts";

/**
 * Throws `InvalidArgument` unless a store can be made in the directory `path`: it must not exist, or
 * be empty, and must not lie in the directory `source`, links followed. `task` completes "Cannot …".
 */
export function checkDestination(
  fs: FileSystem,
  source: string,
  path: string,
  task: string,
): void {
  const refuse = (why: string): never => {
    throw new KvError("InvalidArgument", `Cannot ${task} ${path}: ${why}`, { path });
  };
  const stat = fs.stat(path);
  if (stat !== undefined && stat.kind !== "directory") {
    refuse("it is not a directory; choose another path");
  }
  // A name that looks like another place may lead into the source through a link.
  const origin = realPathOf(fs, source);
  for (let each = realPathOf(fs, path); each !== dirname(each); each = dirname(each)) {
    if (each === origin) {
      refuse(`it is, or lies in, the store ${source}, which is only read; choose another path`);
    }
  }
  if (stat === undefined) return;
  // What an attempt that failed leaves behind is as good as nothing.
  const names = fs.readDirectory(path).filter((name) => name !== LOCK_NAME);
  if (!names.every((name) => name === WAL_NAME && holdsNothing(fs, joinPath(path, name)))) {
    refuse(
      holdsMarker(fs, joinPath(path, WAL_NAME))
        ? "it holds a store that was left unfinished; remove it, or choose another path"
        : "it is not empty; choose a directory that does not exist",
    );
  }
}

function realPathOf(fs: FileSystem, path: string): string {
  return resolve(fs.realPath(path));
}

function holdsNothing(fs: FileSystem, directory: string): boolean {
  return fs.stat(directory)?.kind === "directory" &&
    fs.readDirectory(directory).every((name) =>
      name === ACTIVE_NAME + TEMPORARY_SUFFIX ||
      (name === ACTIVE_NAME && holdsMarker(fs, directory))
    );
}

function holdsMarker(fs: FileSystem, directory: string): boolean {
  const path = joinPath(directory, ACTIVE_NAME);
  const { kind, size } = fs.stat(path) ?? { kind: "other", size: 0 };
  return kind === "file" && size === ACTIVE_UNFINISHED.length &&
    isUnfinished(readFile(fs, path, size));
}

/** A store in the making. {@link finish} or {@link abandon} ends it, and then {@link release}. */
export class NewStore {
  readonly fs: FileSystem;
  /** The directory of the store. */
  readonly path: string;
  /** The directory of its log. */
  readonly directory: string;

  #lock: FileLock;

  /**
   * Creates the directory, locks it, and marks it as unfinished, durably. Throws `Locked`, as
   * {@link checkDestination}, and as the file system has it.
   */
  constructor(fs: FileSystem, source: string, path: string, task: string) {
    checkDestination(fs, source, path, task);
    this.fs = fs;
    this.path = path;
    this.directory = joinPath(path, WAL_NAME);
    fs.makeDirectory(this.directory);
    const lock = fs.lock(joinPath(path, LOCK_NAME));
    if (lock === undefined) {
      throw new KvError("Locked", `${path} is in use: choose another path`, { path });
    }
    this.#lock = lock;
    try {
      // Somebody may have been faster.
      checkDestination(fs, source, path, task);
      replaceDurably(fs, this.directory, ACTIVE_NAME, ACTIVE_UNFINISHED);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Makes the store whole: `active` is the content of ACTIVE, and what it names has been synced. The
   * names of the files become durable first.
   */
  finish(active: Uint8Array): void {
    this.fs.syncDirectory(this.directory);
    replaceDurably(this.fs, this.directory, ACTIVE_NAME, active);
  }

  /**
   * Removes what was written, as far as that is possible, all but the mark that the store is
   * unfinished. Another attempt in the same place is possible then.
   */
  abandon(): void {
    const { fs, directory } = this;
    attempt(() => {
      if (holdsMarker(fs, directory)) return;
      // On a full disk there may be no place for the mark; ACTIVE must go nevertheless.
      if (!attempt(() => replaceDurably(fs, directory, ACTIVE_NAME, ACTIVE_UNFINISHED))) {
        removeDurably(fs, directory, [ACTIVE_NAME]);
      }
    });
    attempt(() => {
      const names = fs.readDirectory(directory).filter((name) => name !== ACTIVE_NAME);
      removeDurably(fs, directory, names);
    });
  }

  /** Gives the lock back. */
  release(): void {
    this.#lock.release();
  }
}

/** The error that led to giving up matters more than one while clearing up. */
function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
