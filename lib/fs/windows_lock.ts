/**
 * The lock on Windows, by the kernel's LockFileEx, which Bun can call.
 *
 * Locks there are mandatory: nobody else may read or write the bytes that are locked. So one byte is
 * locked that no file ever has, as databases do there, and who holds the store stays readable. The
 * system gives the lock back when the handle is closed, and so when the process ends.
 */

import * as fs from "node:fs";
import { assert } from "../assert.ts";
import { bunFfi, type CFunction } from "./bun_ffi.ts";
import { requireRegularFile } from "./descriptor.ts";
import type { FileLock } from "./file_system.ts";
import { SystemError } from "./io_error.ts";

const GENERIC_READ = 0x80000000;
const FILE_SHARE_ALL = 7;
const OPEN_EXISTING = 3;
/** A symbolic link is opened itself, and not what it leads to. */
const FILE_FLAG_OPEN_REPARSE_POINT = 0x00200000;
const LOCKFILE_EXCLUSIVE_NOW = 3;
const ERROR_LOCK_VIOLATION = 33;
const ERROR_IO_PENDING = 997;
/** An OVERLAPPED structure; where the lock begins is at 16 and 20. */
const OVERLAPPED_BYTES = 32;
const OVERLAPPED_OFFSET_HIGH = 20;
/** The byte at 2^62, which whoever locks a whole file locks as well. */
const LOCKED_OFFSET_HIGH = 1 << 30;

interface Kernel {
  CreateFileW: CFunction;
  LockFileEx: CFunction;
  CloseHandle: CFunction;
  GetLastError: CFunction;
}

let kernelOnce: Kernel | undefined;

/** Locks the existing file `path`; undefined when somebody else holds it. */
export function lockWithWindows(path: string): FileLock | undefined {
  kernelOnce ??= loadKernel();
  const { CreateFileW, LockFileEx, CloseHandle, GetLastError } = kernelOnce;
  requireRegularFile(fs.lstatSync(path, { bigint: true }));
  const { ptr } = bunFfi();
  const text = `${path}\0`;
  const name = Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  const handle = CreateFileW(
    ptr(name),
    GENERIC_READ,
    FILE_SHARE_ALL,
    null,
    OPEN_EXISTING,
    FILE_FLAG_OPEN_REPARSE_POINT,
    null,
  );
  if (Number(handle) === -1) {
    throw new SystemError("EIO", `CreateFileW failed with error number ${GetLastError()}`);
  }
  const overlapped = new DataView(new ArrayBuffer(OVERLAPPED_BYTES));
  overlapped.setUint32(OVERLAPPED_OFFSET_HIGH, LOCKED_OFFSET_HIGH, true);
  const locked = LockFileEx(handle, LOCKFILE_EXCLUSIVE_NOW, 0, 1, 0, ptr(overlapped));
  // Read before anything else can change it.
  const error = Number(GetLastError());
  if (Number(locked) === 0) {
    CloseHandle(handle);
    if (error === ERROR_LOCK_VIOLATION || error === ERROR_IO_PENDING) return undefined;
    throw new SystemError("EIO", `LockFileEx failed with error number ${error}`);
  }
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      CloseHandle(handle);
    },
  };
}

function loadKernel(): Kernel {
  const { symbols } = bunFfi().dlopen("kernel32.dll", {
    CreateFileW: { args: ["ptr", "u32", "u32", "ptr", "u32", "u32", "ptr"], returns: "i64_fast" },
    LockFileEx: { args: ["i64", "u32", "u32", "u32", "u32", "ptr"], returns: "i32" },
    CloseHandle: { args: ["i64"], returns: "i32" },
    GetLastError: { args: [], returns: "u32" },
  });
  const { CreateFileW, LockFileEx, CloseHandle, GetLastError } = symbols;
  assert(
    CreateFileW !== undefined && LockFileEx !== undefined && CloseHandle !== undefined &&
      GetLastError !== undefined,
    "dlopen gives what was asked for",
  );
  return { CreateFileW, LockFileEx, CloseHandle, GetLastError };
}
