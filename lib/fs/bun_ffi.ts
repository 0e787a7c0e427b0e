/** Calling the C library from Bun, which needs no permission and nothing to be built. */

import process from "node:process";

/** The part of `bun:ffi` used here, so that the types need no Bun. */
interface BunFfi {
  dlopen(
    library: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<string, CFunction> };
  /** Where the memory of a view is; it must be kept alive while that is used. */
  ptr(view: ArrayBufferView): number;
  read: {
    i32(pointer: number, offset: number): number;
    u8(pointer: number, offset: number): number;
  };
  /** A buffer over memory that is released, with the buffer, by the C function `release`. */
  toArrayBuffer(
    pointer: number,
    offset: number,
    length: number,
    context: number,
    release: number,
  ): ArrayBuffer;
}

/** A function of the C library; pointers are numbers. */
export type CFunction = (...args: (number | null)[]) => number;

/** glibc, then musl by its names on the processors Bun runs on, then whatever the system has. */
const LIBRARIES = process.platform === "darwin"
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libc.so"];

/** Bun's own way to C. To be called under Bun only. */
export function bunFfi(): BunFfi {
  // Asked for by name at run time: as an import, it would not load anywhere but in Bun.
  return (process.getBuiltinModule as (name: string) => unknown)("bun:ffi") as BunFfi;
}

/** Functions of the C library by name; undefined where there is none that has all of them. */
export function loadLibc<Name extends string>(
  symbols: Record<Name, { args: string[]; returns: string }>,
): Record<Name, CFunction> | undefined {
  for (const library of LIBRARIES) {
    try {
      return bunFfi().dlopen(library, symbols).symbols as Record<Name, CFunction>;
    } catch {
      // Not this system's name for it.
    }
  }
  return undefined;
}
