/**
 * Going through a closed segment in the background: in short slices, between which everything else
 * has its turn, and without waiting for the disk.
 */

import type { Clock } from "../clock.ts";
import { ReadWindow, WINDOW_READ_BYTES } from "../log/read_window.ts";
import type { Segment } from "../log/segment.ts";
import { SegmentScanner } from "../log/segment_scanner.ts";
import { BackgroundSlices, RECORDS_BETWEEN_CLOCK_READINGS, type Urgency } from "./pause.ts";

/** Who has background work done. */
export interface BackgroundContext {
  clock: Clock;
  /** How much of it has piled up. */
  urgency: () => Urgency;
  /** Told of so many bytes of segments that were worked through. */
  onWork: (byteLength: number) => void;
}

/** A scanner, and when it has to pause. */
export class SegmentPass {
  readonly scanner: SegmentScanner;

  #window: ReadWindow;
  #slices: BackgroundSlices;
  #onWork: (byteLength: number) => void;
  /** Up to where {@link BackgroundContext.onWork} was told. */
  #told = 0;
  #untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;

  constructor(
    segment: Segment,
    nodeId: Uint8Array,
    { clock, urgency, onWork }: BackgroundContext,
  ) {
    const { fileId, length } = segment;
    this.#window = new ReadWindow(segment, length);
    this.scanner = new SegmentScanner(
      this.#window,
      length,
      { fileId, nodeId },
      0,
      length,
      WINDOW_READ_BYTES,
    );
    this.#slices = new BackgroundSlices(clock, urgency);
    this.#onWork = onWork;
  }

  /** Whether {@link pause} is to be called before the scanner moves on. */
  get isDue(): boolean {
    return this.#window.isShortAt(this.#nextOffset) || this.#isSliceOver;
  }

  /** Lets everything else have its turn, and what comes next be read. */
  async pause(): Promise<void> {
    const offset = this.#nextOffset;
    this.#slices.end();
    this.#tell(offset);
    if (this.#window.isShortAt(offset)) await this.#window.moveTo(offset);
    // Of its own accord a file in memory would let nobody else have a turn.
    await this.#slices.pause();
  }

  /** Waits for the disk in the midst of a slice, and pauses then. */
  async pauseFor(work: Promise<void>): Promise<void> {
    this.#slices.end();
    await work;
    await this.#slices.pause();
  }

  /** To be called when the scanner has come to its end. */
  finish(): void {
    this.#tell(this.scanner.validEnd);
  }

  #tell(offset: number): void {
    // Of a batch that is not over yet the scanner takes nothing for valid.
    if (offset <= this.#told) return;
    this.#onWork(offset - this.#told);
    this.#told = offset;
  }

  get #nextOffset(): number {
    const { offset, header } = this.scanner.reader;
    return offset + header.frameLength;
  }

  get #isSliceOver(): boolean {
    if (--this.#untilClockReading > 0) return false;
    this.#untilClockReading = RECORDS_BETWEEN_CLOCK_READINGS;
    return this.#slices.over;
  }
}
