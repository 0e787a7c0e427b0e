/**
 * Fsyncs of one file through the thread pool, on a descriptor of their own. The kernel reports a
 * writeback error once to every descriptor: so a blocking fsync never takes away the error that a
 * pooled one must see, nor the other way round.
 */

import { assert } from "../assert.ts";
import type { File, FileSystem } from "../fs/file_system.ts";

/** Syncs a file without blocking the event loop, one fsync at a time. */
export class PooledSync {
  #file: File;
  /** The fsync that runs; it never rejects. */
  #running: Promise<void> | undefined;
  /** How many wait for an fsync, that which runs included. */
  #users = 0;
  /** What was thrown by one that failed: none is tried after it. */
  #failure: unknown;
  #closed = false;

  constructor(fs: FileSystem, path: string) {
    this.#file = fs.open(path, "write");
  }

  /** Resolves when no fsync runs, whatever became of it. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Makes durable what was written before the call, or throws. */
  async sync(): Promise<void> {
    assert(!this.#closed, "a file is not synced after it was closed");
    this.#users++;
    try {
      if (this.#running !== undefined) await this.idle();
      if (this.#failure !== undefined) throw this.#failure;
      const run = this.#file.syncAsync();
      this.#running = run.then(() => this.#end(undefined), (error) => this.#end(error));
      await run;
    } finally {
      if (--this.#users === 0 && this.#closed) this.#file.close();
    }
  }

  /** Lets go of the descriptor, when nothing needs it any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#users === 0) this.#file.close();
  }

  #end(failure: unknown): void {
    this.#running = undefined;
    this.#failure ??= failure;
  }
}
