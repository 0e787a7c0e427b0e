/** The lock by the C library's flock, which Bun can call. */

import process from "node:process";
import { assert } from "../assert.ts";
import { bunFfi, loadLibc } from "./bun_ffi.ts";
import { lockWithChildProcess } from "./child_process_lock.ts";
import type { FileLock } from "./file_system.ts";
import { holdLock } from "./held_lock.ts";
import { SystemError } from "./io_error.ts";

/** Takes a lock without waiting: 0, or the error number, which is never 0. */
type Flock = (fd: number) => number;

const LOCK_EX = 2;
const LOCK_NB = 4;
const EINTR = 4;
/** EWOULDBLOCK, which is EAGAIN, has its own number on the BSDs. */
const EWOULDBLOCK = process.platform === "linux" ? 11 : 35;
const ERRNO_LOCATION = process.platform === "darwin" ? "__error" : "__errno_location";

let flockOnce: Flock | null | undefined;

/** Locks the existing file `path`; undefined when somebody else holds it. */
export function lockWithBun(path: string): FileLock | undefined {
  if (flockOnce === undefined) flockOnce = loadFlock() ?? null;
  const flock = flockOnce;
  return flock === null ? lockWithChildProcess(path) : holdLock(path, (fd) => takeLock(flock, fd));
}

function takeLock(flock: Flock, fd: number): boolean {
  let errno = flock(fd);
  while (errno === EINTR) errno = flock(fd);
  if (errno !== 0 && errno !== EWOULDBLOCK) {
    throw new SystemError("EIO", `flock failed with error number ${errno}`);
  }
  return errno === 0;
}

function loadFlock(): Flock | undefined {
  const libc = loadLibc({
    flock: { args: ["i32", "i32"], returns: "i32" },
    [ERRNO_LOCATION]: { args: [], returns: "ptr" },
  });
  if (libc === undefined) return undefined;
  const flock = libc["flock"];
  const errnoLocation = libc[ERRNO_LOCATION];
  assert(flock !== undefined && errnoLocation !== undefined, "dlopen gives what was asked for");
  const { read } = bunFfi();
  return (fd) => {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return 0;
    // Should anything have cleared the number meanwhile, it is still a failure.
    return read.i32(errnoLocation(), 0) || -1;
  };
}
