/** Reads CHECKPOINT. Whatever is wrong with it, the log can be read instead. */

import {
  CHECKPOINT_BLOCK_BYTES_MAX,
  CHECKPOINT_BLOCK_HEADER_BYTES,
  CHECKPOINT_FIELDS,
  type CheckpointHeader,
  checkpointHeaderBytes,
  decodeCheckpointHeader,
  readCheckpointCount,
} from "../format/checkpoint.ts";
import { crc32 } from "../format/crc32.ts";
import { allocateBuffer } from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { readFully } from "../fs/whole_file.ts";

/** Why a checkpoint is not used. */
export class CheckpointProblem extends Error {
  /** Offset of the block that is damaged, or at which the file ends. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "CheckpointProblem";
    this.offset = offset;
  }
}

/**
 * A checkpoint being read, from its beginning to its end, in the steps in which it was written. Every
 * call may throw {@link CheckpointProblem}.
 */
export class CheckpointReader {
  readonly header: CheckpointHeader;
  /** Bytes of the file. */
  readonly size: number;

  #file: File;
  #position: number;
  #blockStart = 0;
  #blockCount = 0;
  #blockHeader = allocateBuffer(CHECKPOINT_BLOCK_HEADER_BYTES);
  #block = new Uint8Array(CHECKPOINT_BLOCK_BYTES_MAX);
  #blockLength = 0;
  #at = 0;

  constructor(file: File) {
    this.#file = file;
    this.size = file.size();
    const start = new Uint8Array(CHECKPOINT_FIELDS.segments);
    const count = readCheckpointCount(
      start.subarray(0, readFully(file, start, 0, start.length, 0)),
    );
    if (typeof count === "string") throw new CheckpointProblem(count, 0);
    const headerLength = checkpointHeaderBytes(count);
    if (headerLength > this.size) throw new CheckpointProblem("it is too short", 0);
    const bytes = new Uint8Array(headerLength);
    const header = decodeCheckpointHeader(
      bytes.subarray(0, readFully(file, bytes, 0, headerLength, 0)),
    );
    if (typeof header === "string") throw new CheckpointProblem(header, 0);
    this.header = header;
    this.#position = headerLength;
  }

  /** Fills `words`. */
  words(words: Int32Array): void {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    let done = 0;
    while (done < bytes.length) {
      if (this.#at === this.#blockLength) this.#nextBlock();
      const count = Math.min(bytes.length - done, this.#blockLength - this.#at);
      bytes.set(this.#block.subarray(this.#at, this.#at + count), done);
      this.#at += count;
      done += count;
    }
  }

  /** Fills a page of the index. */
  page(words: Int32Array): void {
    this.expect(this.#at === this.#blockLength, "it is not made of the parts it should have");
    const length = this.#readBlockHeader();
    this.expect(length === words.byteLength, "a block has an impossible length");
    this.#readBlock(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }

  /** Gives the file up if something in it is not what it must be. */
  expect(condition: boolean, what: string): asserts condition {
    if (!condition) throw new CheckpointProblem(what, this.#blockStart);
  }

  /** Checks that the file ends here. */
  end(): void {
    const length = this.#readBlockHeader();
    this.expect(length === 0 && this.#at === this.#blockLength, "it goes on behind its end");
    const count = this.#blockHeader.view.getUint32(4, true);
    this.expect(count === this.#blockCount, "blocks are missing");
    this.expect(this.#position === this.size, "it goes on behind its end");
  }

  #nextBlock(): void {
    const length = this.#readBlockHeader();
    const isPossible = length > 0 && length <= CHECKPOINT_BLOCK_BYTES_MAX;
    this.expect(isPossible, "a block has an impossible length");
    this.#readBlock(this.#block.subarray(0, length));
    this.#blockLength = length;
    this.#at = 0;
  }

  /** Reads a block's header and returns its length. */
  #readBlockHeader(): number {
    this.#blockStart = this.#position;
    const { bytes, view } = this.#blockHeader;
    this.#readBytes(bytes);
    return view.getUint32(0, true);
  }

  /** Reads a block whose header was read, all of it. */
  #readBlock(bytes: Uint8Array): void {
    this.#readBytes(bytes);
    const crc = this.#blockHeader.view.getUint32(4, true);
    this.expect(crc32(bytes, 0, bytes.length) === crc, "a block's checksum does not match");
    this.#blockCount++;
  }

  #readBytes(bytes: Uint8Array): void {
    const count = readFully(this.#file, bytes, 0, bytes.length, this.#position);
    this.expect(count === bytes.length, "it ends too early");
    this.#position += bytes.length;
  }
}
