/**
 * Appends frames to the log. Frames are encoded straight into one buffer, which goes to the file in
 * large writes; an fsync makes what was written durable. The writer keeps account of three LSNs:
 * appended, written, durable. It decides nothing about when to sync: that is the commit policy's.
 */

import { assert } from "../assert.ts";
import { KvError } from "../errors.ts";
import { encodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { allocateBuffer, type ByteBuffer } from "../format/record.ts";
import type { File } from "../fs/file_system.ts";
import { writeFully } from "../fs/whole_file.ts";
import { LSN_LIMIT } from "../limits.ts";
import type { LogWriterContext } from "./log_writer_context.ts";
import { refusalAfter } from "./refusal.ts";
import type { Segment } from "./segment.ts";
import { createSegment } from "./segment_file.ts";
import type { SharedDurableWriter } from "./shared_durable.ts";
import type { SharedTailWriter } from "./shared_tail.ts";
import { SpaceAhead } from "./space_ahead.ts";

const BUFFER_BYTES_MAX = 256 << 10;

/** The one writer of a log. After a failed write or fsync it refuses everything. */
export class LogWriter {
  /** Frames not yet written; `buffer.bytes[0]` stands at `#bufferStart` of the active segment. */
  buffer: ByteBuffer;
  /** Number of fsyncs so far. */
  syncs = 0;
  /** The buffer as other threads see it; undefined if they see nothing before it is in the file. */
  tail: SharedTailWriter | undefined;
  /** Told how far the active segment is durable, if other threads are to know. */
  shared: SharedDurableWriter | undefined;

  #context: LogWriterContext;
  #bufferBytes: number;
  #segment: Segment;
  #used = 0;
  #bufferStart: number;
  /** Length of the segments that were closed. */
  #bytesClosed = 0;
  #lsnAppended: number;
  #lsnDurable: number;
  /** What the newest mark in the segment calls durable. */
  #markedOffset: number;
  #space = new SpaceAhead();
  /**
   * A second descriptor of the active segment, for fsyncs through the thread pool. The kernel
   * reports a writeback error once to every descriptor: with one of their own, a blocking fsync
   * never takes away the error that a pooled one must see, nor the other way round.
   */
  #pooledFile: File;
  /** The descriptor on which a pooled fsync runs, which may be that of a segment closed since. */
  #syncingFile: File | undefined;
  #failure: KvError | undefined;
  #closed = false;

  /**
   * Goes on appending to the newest segment, all of which is durable, after record `lsn`. `sealed`
   * tells whether its last mark says so.
   */
  constructor(context: LogWriterContext, lsn: number, sealed: boolean) {
    this.#context = context;
    this.#bufferBytes = Math.min(BUFFER_BYTES_MAX, context.segmentBytesMax);
    this.buffer = allocateBuffer(this.#bufferBytes);
    this.#segment = context.segments.active;
    this.#bufferStart = this.#segment.length;
    this.#lsnAppended = lsn;
    this.#lsnDurable = lsn;
    this.#segment.durableLength = this.#segment.length;
    this.#markedOffset = sealed ? this.#segment.length : 0;
    this.#pooledFile = context.fs.open(this.#segment.file.path, "write");
  }

  /** LSN of the newest record, durable or not. */
  get lsnAppended(): number {
    return this.#lsnAppended;
  }

  /** LSN up to which everything is durable. */
  get lsnDurable(): number {
    return this.#lsnDurable;
  }

  /** The segment that the last appended frame went to. */
  get segment(): Segment {
    return this.#segment;
  }

  /** Offset in the active segment from which on frames are still in the buffer. */
  get bufferStart(): number {
    return this.#bufferStart;
  }

  /** Bytes in the buffer. */
  get bufferedBytes(): number {
    return this.#used;
  }

  /** Bytes of the active segment that are not durable. */
  get bytesInFlight(): number {
    return this.#segment.length - this.#segment.durableLength;
  }

  /** Bytes appended so far, plus those that the first segment had before: it never gets less. */
  get bytesAppended(): number {
    return this.#bytesClosed + this.#segment.length;
  }

  /** How much longer the active segment may become. */
  get bytesUntilRotation(): number {
    return this.#context.segmentBytesMax - this.#segment.length;
  }

  /** Whether the active segment holds bytes that are not durable. */
  get dirty(): boolean {
    return this.#segment.durableLength < this.#segment.length;
  }

  /** Why the writer refuses to write; undefined while it does not. */
  get failure(): KvError | undefined {
    return this.#failure;
  }

  /** Throws if an earlier write or fsync failed. */
  assertWritable(): void {
    if (this.#failure !== undefined) throw refusalAfter(this.#failure);
  }

  /** Makes room for a frame of up to `frameBytes` and returns where in the buffer it goes. */
  reserve(frameBytes: number): number {
    if (this.buffer.bytes.length - this.#used < frameBytes) this.writeOut();
    const { length } = this.buffer.bytes;
    // One long record must not leave a long buffer behind.
    const resize = length < frameBytes ||
      (length > this.#bufferBytes && frameBytes <= this.#bufferBytes);
    if (resize && this.#used === 0) {
      this.buffer = allocateBuffer(Math.max(this.#bufferBytes, frameBytes));
    }
    return this.#used;
  }

  /** The LSN that the next record gets. */
  takeLsn(): number {
    const lsn = this.#lsnAppended + 1;
    if (lsn > LSN_LIMIT) {
      throw new KvError("Unsupported", "The store has used up all LSNs: export and import it");
    }
    return lsn;
  }

  /**
   * Begins a new segment if the frames encoded at `at = reserve(…)`, `byteLength` bytes of them,
   * would make the active one longer than allowed; they move along. Returns where they are now.
   */
  placeRecords(at: number, byteLength: number): number {
    const segment = this.#segment;
    const lengthAfter = segment.length + byteLength + SYNC_FRAME_BYTES;
    if (lengthAfter <= this.#context.segmentBytesMax || segment.recordCount === 0) return at;
    const frames = this.buffer.bytes.slice(at, at + byteLength);
    this.rotate();
    const movedTo = this.reserve(byteLength);
    this.buffer.bytes.set(frames, movedTo);
    return movedTo;
  }

  /**
   * Takes the data frame that was encoded at `at`, where {@link placeRecords} put it. Returns its
   * offset in the segment.
   */
  appendRecord(at: number, frameLength: number, lsn: number, crc: number): number {
    assert(lsn === this.#lsnAppended + 1, "LSNs ascend by one");
    const segment = this.#segment;
    const offset = this.#append(at, frameLength, crc);
    this.tail?.append(this.buffer.bytes, at, frameLength);
    segment.recordCount++;
    segment.lastLsn = lsn;
    this.#lsnAppended = lsn;
    return offset;
  }

  /** Takes the control frame that was encoded at `at`. */
  appendControl(at: number, frameLength: number, crc: number): void {
    this.#append(at, frameLength, crc);
    this.#segment.controlBytes += frameLength;
  }

  #append(at: number, frameLength: number, crc: number): number {
    const segment = this.#segment;
    assert(at === this.#used, "frames are appended where they were encoded");
    const offset = this.#bufferStart + at;
    this.#used = at + frameLength;
    segment.length = offset + frameLength;
    segment.chain = extendChain(segment.chain, crc);
    return offset;
  }

  /** Hands the buffer to the operating system. Not yet durable. */
  writeOut(): void {
    if (this.#used === 0) return;
    this.assertWritable();
    try {
      writeFully(this.#segment.file, this.buffer.bytes, 0, this.#used, this.#bufferStart);
    } catch (error) {
      this.#rollBack();
      throw this.#fail(error);
    }
    this.#bufferStart += this.#used;
    this.#used = 0;
    this.tail?.moveTo(this.#segment.fileId, this.#bufferStart);
  }

  /** Writes and syncs everything appended so far, blocking until that is done. */
  sync(): void {
    this.assertWritable();
    if (!this.dirty) return;
    this.#writeBeforeSync();
    this.#syncSegment();
  }

  /** As {@link sync}, but leaves the event loop free while the disk works. */
  async syncPooled(): Promise<void> {
    this.assertWritable();
    if (!this.dirty) return;
    this.#writeBeforeSync();
    const segment = this.#segment;
    const offset = this.#bufferStart;
    const lsn = this.#lsnAppended;
    const file = this.#pooledFile;
    assert(this.#syncingFile === undefined, "one pooled fsync runs at a time");
    this.#syncingFile = file;
    this.syncs++;
    const begin = this.#timeOfSync();
    try {
      await file.syncAsync();
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#syncingFile = undefined;
      if (file !== this.#pooledFile || this.#closed) file.close();
    }
    // A failure in the meantime, of whatever kind, makes this success worth nothing.
    this.assertWritable();
    this.#noteDurable(segment, offset, lsn, begin);
  }

  /** Closes the active segment and begins a new one. */
  rotate(): void {
    this.assertWritable();
    const { active, segments, fs, directory } = this.#context;
    const closed = this.#segment;
    this.#appendMark();
    this.writeOut();
    this.#cutSpaceOff();
    this.#syncSegment();
    try {
      const segment = createSegment(fs, directory, {
        fileId: active.takeFileId(),
        compacted: false,
        createdAt: this.#context.now(),
        nodeId: active.nodeId,
        firstLsn: this.#lsnAppended + 1,
      });
      try {
        active.replace([...segments.ordered, segment]);
        this.#adopt(segment);
      } catch (error) {
        // Its file stays: ACTIVE may name it by now.
        segment.retire();
        throw error;
      }
    } catch (error) {
      throw this.#fail(error);
    }
    this.#context.onSegmentClosed(closed);
  }

  /**
   * Makes everything durable and ends the segment with a mark that says so, so that any damage that
   * comes later is recognised as such.
   */
  seal(): void {
    this.sync();
    if (this.#markedOffset === this.#segment.length) return;
    this.#appendMark();
    this.writeOut();
    this.#cutSpaceOff();
    this.#syncSegment();
    this.#markedOffset = this.#segment.length;
  }

  /** Lets go of the writer's own descriptor. */
  close(): void {
    this.#closed = true;
    // Blocking writes may have overtaken an fsync that still runs: it closes its descriptor itself.
    if (this.#pooledFile !== this.#syncingFile) this.#pooledFile.close();
  }

  #adopt(segment: Segment): void {
    const pooledFile = this.#context.fs.open(segment.file.path, "write");
    this.#context.segments.append(segment);
    if (this.#pooledFile !== this.#syncingFile) this.#pooledFile.close();
    this.#pooledFile = pooledFile;
    this.#bytesClosed += this.#segment.length;
    this.#segment = segment;
    this.#space.reset();
    this.#bufferStart = segment.length;
    this.#markedOffset = segment.length;
    this.tail?.moveTo(segment.fileId, segment.length);
    this.shared?.begin(segment.fileId, segment.durableLength);
  }

  /** Writes everything appended so far, with a mark if more is durable than the last one says. */
  #writeBeforeSync(): void {
    if (this.#segment.durableLength > this.#markedOffset) this.#appendMark();
    const start = this.#bufferStart;
    this.writeOut();
    if (!this.#context.keepsSpaceAhead) return;
    const { file, length } = this.#segment;
    this.#attempt(() => this.#space.extend(file, start, length, this.#context.segmentBytesMax));
  }

  /** Ends the file where the log does; to be synced. */
  #cutSpaceOff(): void {
    const { file, length } = this.#segment;
    if (this.#space.isBehind(length)) this.#attempt(() => file.truncate(length));
  }

  #appendMark(): void {
    const segment = this.#segment;
    const at = this.reserve(SYNC_FRAME_BYTES);
    const crc = encodeSyncMark(this.buffer, at, {
      durableOffset: segment.durableLength,
      ownOffset: this.#bufferStart + at,
      fileId: segment.fileId,
      recordCount: segment.recordCount,
      chain: segment.chain,
      durableLsn: Math.max(this.#lsnDurable, segment.firstLsn - 1),
    });
    this.#markedOffset = segment.durableLength;
    this.appendControl(at, SYNC_FRAME_BYTES, crc);
  }

  /** Blocks until everything that was written out to the active segment is durable. */
  #syncSegment(): void {
    this.syncs++;
    const begin = this.#timeOfSync();
    try {
      this.#segment.file.sync();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#noteDurable(this.#segment, this.#bufferStart, this.#lsnAppended, begin);
  }

  #timeOfSync(): number {
    return this.#context.onSync === undefined ? 0 : this.#context.monotonic();
  }

  #noteDurable(segment: Segment, offset: number, lsn: number, begin: number): void {
    const { onSync, monotonic } = this.#context;
    if (onSync !== undefined) {
      // A blocking fsync may have overtaken this one and been counted already.
      const writes = Math.max(0, lsn - this.#lsnDurable);
      const bytes = Math.max(0, offset - segment.durableLength);
      onSync({ writes, bytes, durationMs: monotonic() - begin });
    }
    this.#lsnDurable = Math.max(this.#lsnDurable, lsn);
    segment.durableLength = Math.max(segment.durableLength, offset);
    if (segment === this.#segment) this.shared?.extend(segment.durableLength);
  }

  /** Cuts a write that failed half-way off the file, so that none of it is found after reopening. */
  #rollBack(): void {
    try {
      this.#segment.file.truncate(this.#bufferStart);
    } catch {
      // The failure that is being handled says more; recovery will cut the torn frame off.
    }
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): KvError {
    const failure = error instanceof KvError
      ? error
      : new KvError("Io", `Writing the log failed: ${String(error)}`, { cause: error });
    if (this.#failure === undefined) {
      this.#failure = failure;
      this.#context.onFailure?.(failure);
    }
    return failure;
  }
}
