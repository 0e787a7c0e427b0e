/**
 * Appends frames to the log. Frames are encoded straight into one buffer, which goes to the file in
 * large writes; an fsync makes what was written durable. The writer keeps account of three LSNs:
 * appended, written, durable. It decides nothing about when to sync: that is the commit policy's.
 */

import { assert } from "../assert.ts";
import { KvError } from "../errors.ts";
import { encodeSyncMark, extendChain, SYNC_FRAME_BYTES } from "../format/control_record.ts";
import { allocateBuffer, type ByteBuffer } from "../format/record.ts";
import { tryToTruncate } from "../fs/durable.ts";
import { writeFully } from "../fs/whole_file.ts";
import { LSN_LIMIT } from "../limits.ts";
import type { LogWriterContext } from "./log_writer_context.ts";
import { PooledSync } from "./pooled_sync.ts";
import { Refusal } from "./refusal.ts";
import { type AppendedSegment, beginNextSegment, Rotation } from "./rotation.ts";
import type { Segment } from "./segment.ts";
import type { SharedDurableWriter } from "./shared_durable.ts";
import type { SharedTailWriter } from "./shared_tail.ts";
import { SpaceAhead } from "./space_ahead.ts";

const BUFFER_BYTES_MAX = 256 << 10;
/** What is appended while a segment is begun waits in the buffer, up to so much. */
const WAITING_BYTES_MAX = 4 << 20;

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
  /** For fsyncs of the active segment through the thread pool. */
  #pooled: PooledSync;
  /** The segment before the active one being closed, as long as that takes. */
  #rotation: Rotation | undefined;
  /** Resolves when no step of it runs any more; never rejects. */
  #rotationEnded: Promise<void> = Promise.resolve();
  #refusal: Refusal;

  /**
   * Goes on appending to the newest segment, all of which is durable, after record `lsn`. `sealed`
   * tells whether its last mark says so.
   */
  constructor(context: LogWriterContext, lsn: number, sealed: boolean) {
    this.#context = context;
    this.#refusal = new Refusal(context.onFailure);
    this.#bufferBytes = Math.min(BUFFER_BYTES_MAX, context.segmentBytesMax);
    this.buffer = allocateBuffer(this.#bufferBytes);
    this.#segment = context.segments.active;
    this.#bufferStart = this.#segment.length;
    this.#lsnAppended = lsn;
    this.#lsnDurable = lsn;
    this.#segment.durableLength = this.#segment.length;
    this.#markedOffset = sealed ? this.#segment.length : 0;
    this.#pooled = new PooledSync(context.fs, this.#segment.file.path);
  }

  /** LSN of the newest record. */
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

  /** The segment that is being closed, all of it written but not durable to the end; if any. */
  get closing(): Segment | undefined {
    return this.#rotation?.closing;
  }

  /** Whether so much waits for a segment to be begun that whoever can wait should. */
  get isCongested(): boolean {
    const bytesMax = Math.min(WAITING_BYTES_MAX, this.#context.segmentBytesMax) / 2;
    return this.#rotation !== undefined && this.#used > bytesMax;
  }

  /** Why the writer refuses to write; undefined while it does not. */
  get failure(): KvError | undefined {
    return this.#refusal.failure;
  }

  /** Throws if an earlier write or fsync failed. */
  assertWritable(): void {
    this.#refusal.assertNone();
  }

  /** Makes room for a frame of up to `frameBytes` and returns where in the buffer it goes. */
  reserve(frameBytes: number): number {
    if (this.buffer.bytes.length - this.#used < frameBytes) this.#makeRoom(frameBytes);
    const { length } = this.buffer.bytes;
    // One long record must not leave a long buffer behind.
    const resize = length < frameBytes ||
      (length > this.#bufferBytes && frameBytes <= this.#bufferBytes);
    if (resize && this.#used === 0) {
      this.buffer = allocateBuffer(Math.max(this.#bufferBytes, frameBytes));
    }
    return this.#used;
  }

  #makeRoom(frameBytes: number): void {
    const byteLength = this.#used + frameBytes;
    if (this.#rotation === undefined || byteLength > WAITING_BYTES_MAX) return this.writeOut();
    const { bytes } = this.buffer;
    this.buffer = allocateBuffer(Math.max(byteLength, 2 * bytes.length));
    this.buffer.bytes.set(bytes.subarray(0, this.#used));
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
    this.finishRotation();
    try {
      writeFully(this.#segment.file, this.buffer.bytes, 0, this.#used, this.#bufferStart);
    } catch (error) {
      // Cut a write that failed half-way off, so that none of it is found after reopening.
      tryToTruncate(this.#segment.file, this.#bufferStart);
      throw this.#refusal.begin(error);
    }
    this.#bufferStart += this.#used;
    this.#used = 0;
    this.tail?.moveTo(this.#segment.fileId, this.#bufferStart);
  }

  /** Writes and syncs everything appended so far, blocking until that is done. */
  sync(): void {
    this.assertWritable();
    this.finishRotation();
    if (this.bytesInFlight === 0) return;
    this.#writeBeforeSync();
    this.#syncSegment();
  }

  /** As {@link sync}, but leaves the event loop free while the disk works. */
  async syncPooled(): Promise<void> {
    this.assertWritable();
    if (this.#rotation !== undefined) await this.rotated();
    // Another one may have begun by now.
    this.finishRotation();
    if (this.bytesInFlight === 0) return;
    this.#writeBeforeSync();
    const segment = this.#segment;
    const offset = this.#bufferStart;
    const lsn = this.#lsnAppended;
    const pooled = this.#pooled;
    this.syncs++;
    const begin = this.#timeOfSync();
    try {
      await pooled.sync();
    } catch (error) {
      throw this.#refusal.begin(error);
    }
    // A failure in the meantime, of whatever kind, makes this success worth nothing.
    this.assertWritable();
    this.#noteDurable(segment, offset, lsn, begin);
  }

  /**
   * Closes the active segment and begins a new one. What the disk has to do for it goes on behind
   * this call; until then, whatever is appended waits in the buffer. Throws where a new segment cannot
   * even be created; then all that was appended before is durable.
   */
  rotate(): void {
    this.assertWritable();
    this.finishRotation();
    const closing = { segment: this.#segment, pooled: this.#pooled };
    const { segment } = closing;
    this.#appendMark();
    this.writeOut();
    this.#cutSpaceOff();
    let next: AppendedSegment;
    try {
      next = beginNextSegment(this.#context, this.#lsnAppended + 1);
    } catch (error) {
      this.#syncSegment();
      throw this.#refusal.begin(error);
    }
    this.#adopt(next);
    this.syncs++;
    const begin = this.#timeOfSync();
    this.#rotation = new Rotation(this.#context, closing, next, {
      hasFailed: () => this.failure !== undefined,
      onClosed: () => this.#noteDurable(segment, segment.length, segment.lastLsn, begin),
      onOver: () => {
        this.#rotation = undefined;
        this.shared?.begin(this.#segment.fileId, this.#segment.durableLength);
        this.#context.onSegmentClosed(segment);
      },
    });
    this.#rotationEnded = this.#rotation.run().catch((error) => void this.#refusal.begin(error));
  }

  /** Resolves when the segment is begun that is being begun now, if any; throws if that fails. */
  async rotated(): Promise<void> {
    if (this.#rotation === undefined) return;
    await this.#rotationEnded;
    this.assertWritable();
  }

  /** A sync of the directory failed, for whatever: with it, a new segment's name may be lost. */
  noteLostNames(error: unknown): void {
    if (this.#rotation !== undefined) this.#refusal.begin(error);
  }

  /** Sees to it, blocking, that no segment is being begun: ACTIVE names those that there are. */
  finishRotation(): void {
    if (this.#rotation === undefined) return;
    this.assertWritable();
    this.#refusal.attempt(() => this.#rotation?.finish());
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

  /** Lets go of the writer's own descriptors. */
  close(): void {
    this.#rotation?.close();
    this.#rotation = undefined;
    this.#pooled.close();
  }

  #adopt({ segment, pooled }: AppendedSegment): void {
    this.#context.segments.append(segment);
    this.#bytesClosed += this.#segment.length;
    this.#pooled = pooled;
    this.#segment = segment;
    this.#space.reset();
    this.#bufferStart = segment.length;
    this.#markedOffset = segment.length;
    this.tail?.moveTo(segment.fileId, segment.length);
  }

  /** Writes everything appended so far, with a mark if more is durable than the last one says. */
  #writeBeforeSync(): void {
    if (this.#segment.durableLength > this.#markedOffset) this.#appendMark();
    const start = this.#bufferStart;
    this.writeOut();
    const { keepsSpaceAhead, segmentBytesMax } = this.#context;
    if (!keepsSpaceAhead) return;
    const { file, length } = this.#segment;
    this.#refusal.attempt(() => this.#space.extend(file, start, length, segmentBytesMax));
  }

  /** Ends the file where the log does; to be synced. */
  #cutSpaceOff(): void {
    const { file, length } = this.#segment;
    if (this.#space.isBehind(length)) this.#refusal.attempt(() => file.truncate(length));
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
    this.#refusal.attempt(() => this.#segment.file.sync());
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
}
