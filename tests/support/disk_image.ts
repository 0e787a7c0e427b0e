/** The files of a store as plain bytes: to be damaged, swapped, compared, and opened again. */

import assert from "node:assert/strict";
import { LOCK_NAME } from "../../lib/format/filename.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readFile, writeFully } from "../../lib/fs/whole_file.ts";
import { PATH } from "./test_store.ts";

/** File contents by name, of the store's log. */
export type DiskImage = Map<string, Uint8Array>;

const FILE_BYTES_MAX = 1 << 30;

/** Copies the files of the store's log. */
export function takeImage(fs: FileSystem): DiskImage {
  const directory = `${PATH}/wal`;
  const names = fs.readDirectory(directory).filter((name) => name !== LOCK_NAME).sort();
  return new Map(
    names.map((name) => [name, readFile(fs, `${directory}/${name}`, FILE_BYTES_MAX).slice()]),
  );
}

/** A file system that holds these files. */
export function fromImage(image: DiskImage): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  fs.makeDirectory(`${PATH}/wal`);
  for (const [name, bytes] of image) {
    const file = fs.open(`${PATH}/wal/${name}`, "create");
    writeFully(file, bytes, 0, bytes.length, 0);
    file.close();
  }
  return fs;
}

/** The image with one file replaced, or with `undefined` removed. */
export function withFile(image: DiskImage, name: string, bytes: Uint8Array | undefined): DiskImage {
  const changed = new Map(image);
  if (bytes === undefined) changed.delete(name);
  else changed.set(name, bytes);
  return changed;
}

/** The bytes of one of the image's files. */
export function bytesOf(image: DiskImage, name: string): Uint8Array {
  const bytes = image.get(name);
  assert(bytes !== undefined, `there is no ${name}`);
  return bytes;
}

/** Expects the files of a store to be those of the image, byte for byte. */
export function assertUntouched(fs: FileSystem, image: DiskImage): void {
  const found = takeImage(fs);
  assert.deepEqual([...found.keys()], [...image.keys()].sort());
  for (const [name, bytes] of image) {
    assert(equalBytes(bytesOf(found, name), bytes), `${name} was changed`);
  }
}

/** Whether two byte strings are the same; quicker than a deep comparison. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** A copy with one bit flipped. */
export function withBitFlipped(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >>> 3]! ^= 1 << (bit & 7);
  return flipped;
}

/** Byte strings one behind the other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
