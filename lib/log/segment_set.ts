/** The segments that are the log, in order of their LSNs. */

import { assert } from "../assert.ts";
import type { Segment } from "./segment.ts";

/** An ordered set of segments. The last one is being appended to. */
export class SegmentSet {
  #ordered: Segment[] = [];
  #byId = new Map<number, Segment>();
  /** Called when files of segments that were replaced have been removed. */
  onRemoved: () => void = () => {};

  /** The segments from the oldest to the newest. */
  get ordered(): readonly Segment[] {
    return this.#ordered;
  }

  /** The segment that is being appended to. */
  get active(): Segment {
    const active = this.#ordered.at(-1);
    assert(active !== undefined, "a log has at least one segment");
    return active;
  }

  /** The segment with this id, which must be part of the log or still be moving out of it. */
  get(fileId: number): Segment {
    const segment = this.#byId.get(fileId);
    // The message is made only when it is needed: this runs once for every read of a value.
    if (segment === undefined) assert(false, `segment ${fileId} is not part of the log`);
    return segment;
  }

  /** Bytes of the log. */
  get totalBytes(): number {
    let bytes = 0;
    for (const segment of this.#ordered) bytes += segment.length;
    return bytes;
  }

  /** Bytes of records that are the current state of a key. */
  get aliveBytes(): number {
    let bytes = 0;
    // While entries move to a new segment, some are still counted with the old one.
    for (const segment of this.#byId.values()) bytes += segment.aliveBytes;
    return bytes;
  }

  /** Whether nothing points at segments any more that were replaced. */
  get isSettled(): boolean {
    return this.#byId.size === this.#ordered.length;
  }

  /** Adds the newest segment. */
  append(segment: Segment): void {
    const last = this.#ordered.at(-1);
    assert(last === undefined || last.lastLsn < segment.firstLsn, "segments ascend by LSN");
    this.#ordered.push(segment);
    this.#byId.set(segment.fileId, segment);
  }

  /**
   * Puts `outputs` (or nothing) in the place of `inputs`, which are neighbours. They stay reachable
   * by id until {@link forget}, since index entries may still point at them.
   */
  replace(inputs: readonly Segment[], outputs: readonly Segment[]): void {
    const first = this.#ordered.indexOf(inputs[0]!);
    assert(first >= 0, "compaction replaces segments of the log");
    inputs.forEach((input, index) =>
      assert(this.#ordered[first + index] === input, "compaction replaces neighbours")
    );
    this.#ordered.splice(first, inputs.length, ...outputs);
    for (const output of outputs) this.#byId.set(output.fileId, output);
  }

  /** Drops replaced segments, at which nothing points any more. */
  forget(inputs: readonly Segment[]): void {
    for (const input of inputs) {
      assert(!this.#ordered.includes(input), "only replaced segments are forgotten");
      this.#byId.delete(input.fileId);
      input.retire();
    }
  }

  /** Closes all files. */
  close(): void {
    for (const segment of this.#byId.values()) segment.retire();
    this.#ordered = [];
    this.#byId.clear();
  }
}
