/** A file system in memory that is soon full. */

import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import process from "node:process";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** Why there can be none here; undefined if there can. Tries it. */
export function smallDiskProblem(): string | undefined {
  if (process.platform !== "linux") return "not Linux";
  if (process.getuid?.() !== 0) return "not root";
  try {
    using _disk = new SmallDisk(1 << 20);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, " ");
  }
}

/** Mounted for as long as the scope is. */
export class SmallDisk implements Disposable {
  readonly #directory = new TemporaryDirectory();
  /** Where it is mounted. */
  readonly path: string = this.#directory.join("mounted");

  /** Has room for so many bytes. */
  constructor(bytes: number) {
    mkdirSync(this.path);
    const options = `size=${bytes},nodev,nosuid,mode=700`;
    const { status, stderr, error } = spawnSync(
      "mount",
      ["-t", "tmpfs", "-o", options, "cairn-test", this.path],
    );
    if (status === 0) return;
    this.#directory[Symbol.dispose]();
    throw new Error(`cannot mount: ${error?.message ?? stderr}`);
  }

  /** The path of something on it. */
  join(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Takes so many bytes away, or all there are, until {@link free}. */
  take(bytes: number): void {
    const fd = openSync(this.join("taken"), "w");
    try {
      for (let done = 0; done < bytes; done += 4096) writeSync(fd, new Uint8Array(4096));
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Gives them back. */
  free(): void {
    rmSync(this.join("taken"));
  }

  [Symbol.dispose](): void {
    spawnSync("umount", [this.path]);
    this.#directory[Symbol.dispose]();
  }
}
