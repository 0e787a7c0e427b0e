/**
 * A real file system in a file, whose power can be cut: what the kernel has not yet written to the
 * device is lost, and the journal is replayed at the next mount. Touches no device but the loop
 * device over a file of its own, and leaves nothing behind.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import process from "node:process";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** How a file system is made and mounted. */
export interface LoopFileSystemKind {
  /** For the names of tests. */
  name: string;
  type: "ext4" | "xfs";
  mountOptions: string;
}

/** The kinds that stores are tested on. */
export const LOOP_FILE_SYSTEMS: readonly LoopFileSystemKind[] = [
  { name: "ext4", type: "ext4", mountOptions: "nodev,nosuid" },
  { name: "ext4 with commit=1", type: "ext4", mountOptions: "nodev,nosuid,commit=1" },
  { name: "XFS", type: "xfs", mountOptions: "nodev,nosuid" },
];

const MAKE = {
  // Without the journal's initialisation in the background, which would go on while we cut.
  ext4: { command: "mkfs.ext4", options: ["-q", "-F", "-J", "size=4", "-m", "0"], bytes: 64 << 20 },
  // mkfs.xfs makes nothing shorter. The file is sparse.
  xfs: { command: "mkfs.xfs", options: ["-q", "-f"], bytes: 320 << 20 },
};
const COMMAND_TIMEOUT_MS = 30_000;

/** Why there can be none of this kind here; undefined if there can. Tries it, cut and all. */
export function loopFileSystemProblem(kind: LoopFileSystemKind): string | undefined {
  if (process.platform !== "linux") return "not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const command of [MAKE[kind.type].command, "losetup", "mount", "umount", "xfs_io"]) {
    if (spawnSync(command, ["--version"]).error !== undefined) return `no ${command} here`;
  }
  try {
    using disk = new LoopFileSystem(kind);
    disk.cutPower(false);
    disk.restorePower();
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, " ");
  }
}

/** A mounted file system; `using` unmounts it and removes its file. */
export class LoopFileSystem implements Disposable {
  readonly #kind: LoopFileSystemKind;
  readonly #directory = new TemporaryDirectory();
  readonly #image = this.#directory.join("image");
  /** Where it is mounted. */
  readonly path: string = this.#directory.join("mounted");
  #mounted = false;
  readonly #onUnload = () => this[Symbol.dispose]();

  constructor(kind: LoopFileSystemKind) {
    this.#kind = kind;
    const { command, options, bytes } = MAKE[kind.type];
    try {
      writeFileSync(this.#image, "");
      truncateSync(this.#image, bytes);
      mkdirSync(this.path);
      run(command, ...options, this.#image);
      this.#mount();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    // For tests that are given up when their time is over: they never come to their end.
    globalThis.addEventListener("unload", this.#onUnload);
  }

  /** The program that cuts the power, for those who know the right moment. */
  cutCommand(flushesJournal: boolean): string[] {
    const shutdown = flushesJournal ? "shutdown -f" : "shutdown";
    return ["xfs_io", "-x", "-c", shutdown, this.path];
  }

  /**
   * Cuts the power: from now on nothing is read or written. With `flushesJournal` the names and
   * lengths of files reach the device as the last thing, but not the contents, as when it dies in
   * the midst of writing back.
   */
  cutPower(flushesJournal: boolean): void {
    run(...this.cutCommand(flushesJournal));
  }

  /** Mounts it again. Nobody may have a file open. */
  restorePower(): void {
    run("umount", this.path);
    this.#mounted = false;
    this.#mount();
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("unload", this.#onUnload);
    try {
      // Lazily, as a test that failed may have left a process with open files.
      if (this.#mounted) run("umount", "--lazy", this.path);
      this.#mounted = false;
    } finally {
      this.#directory[Symbol.dispose]();
    }
  }

  #mount(): void {
    const device = run("losetup", "--find", "--show", this.#image).trim();
    try {
      run("mount", "-t", this.#kind.type, "-o", this.#kind.mountOptions, device, this.path);
      this.#mounted = true;
    } finally {
      // While it is mounted this only says that the device goes when the mount goes, so that not
      // even a test that is killed leaves one behind.
      run("losetup", "--detach", device);
    }
  }
}

function run(...[command, ...args]: string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command!, args, {
    encoding: "utf8",
    timeout: COMMAND_TIMEOUT_MS,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr || `exit ${status}`}`);
  return stdout;
}
