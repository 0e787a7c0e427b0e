/** What of files and directories is durable on a simulated disk, and what has changed since. */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import {
  applyContent,
  applyName,
  type ContentChange,
  type NameChange,
  survivingContent,
  survivingNames,
} from "./crash_survival.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** How likely a change is durable although the sync that covers it failed. */
const FAILED_SYNC_KEEPS = 0.3;

/** A file apart from its names. */
export class DiskFile {
  durable: Uint8Array = new Uint8Array(0);
  pending: { number: number; change: ContentChange }[] = [];
  #changes = 0;

  get lastChange(): number {
    return this.#changes;
  }

  note(change: ContentChange): void {
    this.pending.push({ number: ++this.#changes, change });
  }

  /** Makes the changes up to and including `number` durable. */
  sync(number: number): void {
    for (const { change } of this.#take(number)) this.durable = applyContent(this.durable, change);
  }

  /**
   * A sync that failed: programs go on seeing the changes, but the system takes them for written and
   * will not write them again. Some were, some never will be.
   */
  failSync(number: number, random: SeededRandom): void {
    for (const { change } of this.#take(number)) {
      if (random.chance(FAILED_SYNC_KEEPS)) this.durable = applyContent(this.durable, change);
    }
  }

  #take(number: number): { number: number; change: ContentChange }[] {
    const taken = this.pending.filter((each) => each.number <= number);
    this.pending = this.pending.filter((each) => each.number > number);
    return taken;
  }
}

/** A directory: which names in it are durable, and what has changed since. */
export class DiskDirectory {
  durable = new Map<string, DiskNode>();
  pending: NameChange<DiskNode>[] = [];

  /** Makes changes to its names durable: all, or those that a sync found when it began. */
  sync(covered = new Set(this.pending)): void {
    for (const change of this.#take(covered)) applyName(this.durable, change);
  }

  /** As with files: what a failed sync leaves undone, no later one will do. */
  failSync(random: SeededRandom, covered = new Set(this.pending)): void {
    for (const change of this.#take(covered)) {
      if (random.chance(FAILED_SYNC_KEEPS)) applyName(this.durable, change);
    }
  }

  #take(covered: ReadonlySet<NameChange<DiskNode>>): NameChange<DiskNode>[] {
    const taken = this.pending.filter((change) => covered.has(change));
    this.pending = this.pending.filter((change) => !covered.has(change));
    return taken;
  }
}

export type DiskNode = DiskFile | DiskDirectory;

/** All files and directories; names are absolute paths. */
export class CrashDisk {
  readonly #root = new DiskDirectory();
  /** What has a name as programs see it. */
  #nodes = new Map<string, DiskNode>([["/", this.#root]]);

  /** The file that has a name. */
  file(path: string): DiskFile {
    const node = this.#nodes.get(path);
    assert(node instanceof DiskFile, `${path} was never created here`);
    return node;
  }

  /** The directory that has a name. */
  directory(path: string): DiskDirectory {
    const node = this.#nodes.get(path);
    assert(node instanceof DiskDirectory, `${path} was never made here`);
    return node;
  }

  /** Gives a new file or directory a name, until a sync of its directory only as programs see it. */
  create(path: string, file: DiskNode): void {
    this.#nodes.set(path, file);
    this.#pendingOf(path).push({ kind: "create", name: basename(path), file });
  }

  /** Gives a file another name. */
  rename(from: string, to: string): void {
    assert.equal(dirname(from), dirname(to), "a file stays in its directory");
    const file = this.file(from);
    this.#nodes.delete(from);
    this.#nodes.set(to, file);
    const change = { kind: "rename", name: basename(to), from: basename(from), file } as const;
    this.#pendingOf(to).push(change);
  }

  /** Takes a name away. */
  remove(path: string): void {
    const file = this.#nodes.get(path)!;
    this.#nodes.delete(path);
    this.#pendingOf(path).push({ kind: "unlink", name: basename(path), file });
  }

  /** Loses what is not durable, and returns what is left, as programs see it. */
  losePower(random: SeededRandom, options: { garbage: boolean }): MemoryFileSystem {
    const visible = new MemoryFileSystem();
    this.#nodes = new Map([["/", this.#root]]);
    const lose = (directory: DiskDirectory, path: string) => {
      directory.durable = survivingNames(directory.durable, directory.pending, random);
      directory.pending = [];
      for (const [name, node] of directory.durable) {
        const child = join(path, name);
        this.#nodes.set(child, node);
        if (node instanceof DiskDirectory) {
          visible.makeDirectory(child);
          lose(node, child);
          continue;
        }
        const pending = node.pending.map(({ change }) => change);
        const bytes = survivingContent(node.durable, pending, random, options);
        node.durable = bytes;
        node.pending = [];
        const file = visible.open(child, "create");
        file.write(bytes, 0, bytes.length, 0);
        file.close();
      }
    };
    lose(this.#root, "/");
    return visible;
  }

  #pendingOf(path: string): NameChange<DiskNode>[] {
    return this.directory(dirname(path)).pending;
  }
}
