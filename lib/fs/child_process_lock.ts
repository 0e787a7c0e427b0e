/**
 * The lock for runtimes that cannot call flock: a child process that inherits our descriptor calls
 * it for us. The lock belongs to the open file, which is ours too, so it stays when the child ends.
 */

import { spawnSync } from "node:child_process";
import { KvError } from "../errors.ts";
import type { FileLock } from "./file_system.ts";
import { holdLock } from "./held_lock.ts";
import { SystemError, systemErrorCode } from "./io_error.ts";

/** The number under which the child finds our descriptor. */
const CHILD_FD = 3;

/** Programs that take the lock on descriptor 3 and end with 0, or with 1 if somebody else has it. */
const LOCKERS: readonly (readonly [program: string, ...args: string[]])[] = [
  ["flock", "-n", "-x", String(CHILD_FD)],
  // macOS has no flock(1), but comes with perl.
  [
    "perl",
    "-MFcntl=:flock",
    "-MErrno=EWOULDBLOCK",
    "-e",
    `open(my $file, "+<&=", ${CHILD_FD}) or die "$!\\n";
     exit 0 if flock($file, LOCK_EX | LOCK_NB);
     exit 1 if $! == EWOULDBLOCK;
     die "$!\\n";`,
  ],
];

/** Locks the existing file `path`; undefined when somebody else holds it. */
export function lockWithChildProcess(path: string): FileLock | undefined {
  return holdLock(path, (fd) => takeLock(fd, path));
}

function takeLock(fd: number, path: string): boolean {
  for (const [program, ...args] of LOCKERS) {
    const child = spawnSync(program, args, {
      stdio: ["ignore", "ignore", "pipe", fd],
      encoding: "utf8",
    });
    if (child.error !== undefined) {
      // EACCES is what a search through a PATH with unreadable directories may end with.
      const code = systemErrorCode(child.error);
      if (code === "ENOENT" || code === "EACCES") continue;
      throw child.error;
    }
    if (child.status === 0) return true;
    // A conflict is silent; whatever else goes wrong is said.
    if (child.status === 1 && child.stderr === "") return false;
    const reason = child.stderr.trim() || `it ended with ${child.signal ?? child.status}`;
    throw new SystemError("EIO", `${program} could not lock it: ${reason}`);
  }
  throw new KvError(
    "Unsupported",
    `Cannot lock ${path}: this runtime needs the program flock (package util-linux) or perl; ` +
      "install one of them, or use Deno or Bun",
    { path },
  );
}
