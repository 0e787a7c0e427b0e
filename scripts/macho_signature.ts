/**
 * Signs an executable for macOS ad hoc: hashes of its pages, and nobody's name, as linkers do. The
 * system ends a program whose signature does not fit it, and Bun leaves such a one in what it
 * compiles for x64. The numbers are those of Apple's `cs_blobs.h` and `mach-o/loader.h`.
 */

import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;

const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const CODE_DIRECTORY_VERSION = 0x20400;
const CODE_DIRECTORY_BYTES = 88;
/** One blob in the super blob, of the kind 0: the header, and where it is. */
const SUPER_BLOB_BYTES = 12 + 8;
/** Ad hoc, and by a linker: such a signature is the code directory alone. */
const FLAGS = 0x2 | 0x20000;
const HASH_BYTES = 32;
const HASH_SHA256 = 2;
const PAGE_SHIFT = 12;
const MAIN_BINARY = 1;

interface Layout {
  /** Where the load command of the signature and that of `__LINKEDIT` are. */
  signatureCommand: number;
  linkEdit: number;
  textOffset: bigint;
  textBytes: bigint;
}

/** The same program, with its signature replaced. Throws if it has no place for one. */
export function signAdHoc(
  program: Uint8Array<ArrayBuffer>,
  identifier: string,
): Uint8Array<ArrayBuffer> {
  const { signatureCommand, linkEdit, textOffset, textBytes } = layoutOf(program);
  const source = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const codeBytes = source.getUint32(signatureCommand + 8, true);
  const name = new TextEncoder().encode(`${identifier}\0`);
  const pages = Math.ceil(codeBytes / (1 << PAGE_SHIFT));
  const hashes = CODE_DIRECTORY_BYTES + name.length;
  const directoryBytes = hashes + pages * HASH_BYTES;
  const signatureBytes = SUPER_BLOB_BYTES + directoryBytes;

  const signed = new Uint8Array(codeBytes + signatureBytes);
  signed.set(program.subarray(0, codeBytes));
  const view = new DataView(signed.buffer);
  view.setUint32(signatureCommand + 12, signatureBytes, true);
  const linkEditBytes = BigInt(signed.length) - view.getBigUint64(linkEdit + 40, true);
  view.setBigUint64(linkEdit + 48, linkEditBytes, true);
  const pageMask = (1n << BigInt(PAGE_SHIFT)) - 1n;
  view.setBigUint64(linkEdit + 32, (linkEditBytes + pageMask) & ~pageMask, true);

  // Everything in a signature is big-endian.
  let at = codeBytes;
  const put = (...values: number[]) => {
    for (const value of values) {
      view.setUint32(at, value);
      at += 4;
    }
  };
  put(SUPER_BLOB, signatureBytes, 1, 0, SUPER_BLOB_BYTES);
  put(CODE_DIRECTORY, directoryBytes, CODE_DIRECTORY_VERSION, FLAGS);
  put(hashes, CODE_DIRECTORY_BYTES, 0, pages, codeBytes);
  signed.set([HASH_BYTES, HASH_SHA256, 0, PAGE_SHIFT], at);
  at += 4;
  put(0, 0, 0, 0, 0, 0); // no spare, scatter or team, and the length fits into 32 bits
  for (const value of [textOffset, textBytes, BigInt(MAIN_BINARY)]) {
    view.setBigUint64(at, value);
    at += 8;
  }
  signed.set(name, at);
  at += name.length;
  // The header is final by now, which the first page's hash covers.
  for (let page = 0; page < pages; page++) {
    const end = Math.min((page + 1) << PAGE_SHIFT, codeBytes);
    const content = signed.subarray(page << PAGE_SHIFT, end);
    signed.set(createHash("sha256").update(content).digest(), at);
    at += HASH_BYTES;
  }
  return signed;
}

function layoutOf(program: Uint8Array<ArrayBuffer>): Layout {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  if (view.getUint32(0, true) !== MAGIC_64) throw new Error("this is no program of macOS");
  const places = new Map<string, number>();
  let command = HEADER_BYTES;
  for (let left = view.getUint32(16, true); left > 0; left--) {
    const kind = view.getUint32(command, true);
    if (kind === LC_CODE_SIGNATURE) places.set("signature", command);
    if (kind === LC_SEGMENT_64) {
      const name = new TextDecoder().decode(program.subarray(command + 8, command + 24));
      places.set(name.replace(/\0+$/, ""), command);
    }
    command += view.getUint32(command + 4, true);
  }
  const signatureCommand = places.get("signature");
  const linkEdit = places.get("__LINKEDIT");
  const text = places.get("__TEXT");
  if (signatureCommand === undefined || linkEdit === undefined || text === undefined) {
    throw new Error("this program of macOS has no place for a signature");
  }
  return {
    signatureCommand,
    linkEdit,
    textOffset: view.getBigUint64(text + 40, true),
    textBytes: view.getBigUint64(text + 48, true),
  };
}
