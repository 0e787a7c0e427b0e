/** Writes CHECKPOINT, block by block, under a temporary name until it is complete and durable. */

import {
  CHECKPOINT_BLOCK_BYTES_MAX,
  CHECKPOINT_BLOCK_HEADER_BYTES,
  type CheckpointHeader,
  encodeCheckpointHeader,
} from "../format/checkpoint.ts";
import { crc32 } from "../format/crc32.ts";
import { CHECKPOINT_NAME, joinPath, TEMPORARY_SUFFIX } from "../format/filename.ts";
import { allocateBuffer } from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { writeFully } from "../fs/whole_file.ts";

/**
 * A checkpoint in the making: the index writes itself to it in words and pages. Either {@link finish} or {@link abort} ends it.
 */
export class CheckpointWriter {
  #fs: FileSystem;
  #path: string;
  #directory: string;
  #file: File;
  #position = 0;
  #blockCount = 0;
  #blockHeader = allocateBuffer(CHECKPOINT_BLOCK_HEADER_BYTES);
  #block = new Uint8Array(CHECKPOINT_BLOCK_BYTES_MAX);
  #used = 0;

  constructor(fs: FileSystem, directory: string, header: CheckpointHeader) {
    this.#fs = fs;
    this.#directory = directory;
    this.#path = joinPath(directory, CHECKPOINT_NAME);
    const temporary = this.#path + TEMPORARY_SUFFIX;
    if (fs.stat(temporary) !== undefined) fs.unlink(temporary);
    this.#file = fs.open(temporary, "create");
    try {
      this.#write(encodeCheckpointHeader(header));
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Takes over a copy of `words`. */
  words(words: Int32Array): void {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    let done = 0;
    while (done < bytes.length) {
      if (this.#used === this.#block.length) this.#endBlock();
      const count = Math.min(bytes.length - done, this.#block.length - this.#used);
      this.#block.set(bytes.subarray(done, done + count), this.#used);
      this.#used += count;
      done += count;
    }
  }

  /** Writes a page of the index, which does not change meanwhile. */
  page(words: Int32Array): void {
    this.#endBlock();
    this.#writeBlock(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }

  /** Completes the file and gives it its name, durably. */
  async finish(): Promise<void> {
    this.#endBlock();
    const end = allocateBuffer(CHECKPOINT_BLOCK_HEADER_BYTES);
    end.view.setUint32(4, this.#blockCount, true);
    this.#write(end.bytes);
    await this.#file.syncAsync();
    this.#file.close();
    this.#fs.rename(this.#path + TEMPORARY_SUFFIX, this.#path);
    this.#fs.syncDirectory(this.#directory);
  }

  /** Gives the file up; as after a failed write, nothing of it stays if that can be helped. */
  abort(): void {
    this.#file.close();
    const temporary = this.#path + TEMPORARY_SUFFIX;
    if (this.#fs.stat(temporary) !== undefined) this.#fs.unlink(temporary);
  }

  #endBlock(): void {
    if (this.#used === 0) return;
    this.#writeBlock(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }

  #writeBlock(bytes: Uint8Array): void {
    const header = this.#blockHeader;
    header.view.setUint32(0, bytes.length, true);
    header.view.setUint32(4, crc32(bytes, 0, bytes.length), true);
    this.#write(header.bytes);
    this.#write(bytes);
    this.#blockCount++;
  }

  #write(bytes: Uint8Array): void {
    writeFully(this.#file, bytes, 0, bytes.length, this.#position);
    this.#position += bytes.length;
  }
}
