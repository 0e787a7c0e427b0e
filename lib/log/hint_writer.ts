/** Writes a hint file, block by block, under a temporary name until it is complete and durable. */

import {
  encodeHintHeader,
  HINT_BLOCK_BYTES_MAX,
  HINT_BLOCK_HEADER_BYTES,
  HINT_ENTRY_BYTES,
  HINT_ENTRY_BYTES_MAX,
  HINT_ENTRY_FIELDS,
  HINT_HEADER_BYTES,
  type HintHeader,
} from "../format/hint.ts";
import { crc32 } from "../format/crc32.ts";
import { hintName, joinPath, TEMPORARY_SUFFIX } from "../format/filename.ts";
import { allocateBuffer, OP_SET_EXPIRING, writeU64 } from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { writeFully, writeFullyAsync } from "../fs/whole_file.ts";

/** A hint file in the making. Either {@link finish} or {@link abort} ends it. */
export class HintWriter {
  #fs: FileSystem;
  #directory: string;
  #name: string;
  #file: File;
  #buffer = allocateBuffer(
    HINT_BLOCK_HEADER_BYTES + HINT_BLOCK_BYTES_MAX + HINT_ENTRY_BYTES_MAX,
  );
  #used = HINT_BLOCK_HEADER_BYTES;
  #position = HINT_HEADER_BYTES;
  #entryCount = 0;

  constructor(fs: FileSystem, directory: string, fileId: number) {
    this.#fs = fs;
    this.#directory = directory;
    this.#name = hintName(fileId);
    const temporary = this.#temporaryPath();
    if (fs.stat(temporary) !== undefined) fs.unlink(temporary);
    this.#file = fs.open(temporary, "create");
  }

  /** Whether a block is complete: then it is time for {@link writeOut}. */
  get isFull(): boolean {
    return this.#used >= HINT_BLOCK_BYTES_MAX;
  }

  /** Writes what was added so far, without blocking the event loop. */
  async writeOut(): Promise<void> {
    const length = this.#endBlock();
    if (length === 0) return;
    await writeFullyAsync(this.#file, this.#buffer.bytes, 0, length, this.#position);
    this.#position += length;
    this.#used = HINT_BLOCK_HEADER_BYTES;
  }

  /** Adds one entry; `expiresAt` counts only for OP_SET_EXPIRING. */
  add(
    op: number,
    lsn: number,
    offset: number,
    frameLength: number,
    crc: number,
    expiresAt: number,
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
  ): void {
    if (this.isFull) this.#writeBlock();
    const { view, bytes } = this.#buffer;
    const at = this.#used;
    view.setUint8(at + HINT_ENTRY_FIELDS.op, op);
    view.setUint16(at + HINT_ENTRY_FIELDS.keyLengthMinusOne, keyLength - 1, true);
    view.setUint32(at + HINT_ENTRY_FIELDS.lsnLow, lsn >>> 0, true);
    view.setUint16(at + HINT_ENTRY_FIELDS.lsnHigh, lsn / 0x1_0000_0000, true);
    view.setUint32(at + HINT_ENTRY_FIELDS.offset, offset, true);
    view.setUint32(at + HINT_ENTRY_FIELDS.frameLength, frameLength, true);
    view.setUint32(at + HINT_ENTRY_FIELDS.crc, crc, true);
    let keyAt = at + HINT_ENTRY_BYTES;
    if (op === OP_SET_EXPIRING) {
      writeU64(view, keyAt, expiresAt);
      keyAt += 8;
    }
    bytes.set(keyBytes.subarray(keyStart, keyStart + keyLength), keyAt);
    this.#used = keyAt + keyLength;
    this.#entryCount++;
  }

  /** Completes the file and gives it its name, durably. */
  async finish(header: HintHeader): Promise<void> {
    await this.writeOut();
    const end = allocateBuffer(HINT_BLOCK_HEADER_BYTES);
    end.view.setUint32(4, this.#entryCount, true);
    this.#write(end.bytes, end.bytes.length);
    const headerBytes = encodeHintHeader(header);
    writeFully(this.#file, headerBytes, 0, headerBytes.length, 0);
    await this.#file.syncAsync();
    this.#file.close();
    this.#fs.rename(this.#temporaryPath(), joinPath(this.#directory, this.#name));
    await (this.#fs.syncDirectoryAsync?.(this.#directory) ??
      this.#fs.syncDirectory(this.#directory));
  }

  /** Gives the file up; as after a failed write, nothing of it stays if that can be helped. */
  abort(): void {
    this.#file.close();
    if (this.#fs.stat(this.#temporaryPath()) !== undefined) {
      this.#fs.unlink(this.#temporaryPath());
    }
  }

  #writeBlock(): void {
    const length = this.#endBlock();
    if (length === 0) return;
    this.#write(this.#buffer.bytes, length);
    this.#used = HINT_BLOCK_HEADER_BYTES;
  }

  /** Completes the block in the buffer and returns its length; 0 if it has no entries. */
  #endBlock(): number {
    const byteLength = this.#used - HINT_BLOCK_HEADER_BYTES;
    if (byteLength === 0) return 0;
    const { view, bytes } = this.#buffer;
    view.setUint32(0, byteLength, true);
    view.setUint32(4, crc32(bytes, HINT_BLOCK_HEADER_BYTES, this.#used), true);
    return this.#used;
  }

  #write(bytes: Uint8Array, length: number): void {
    writeFully(this.#file, bytes, 0, length, this.#position);
    this.#position += length;
  }

  #temporaryPath(): string {
    return joinPath(this.#directory, this.#name) + TEMPORARY_SUFFIX;
  }
}
