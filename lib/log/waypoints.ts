/** A sparse table of where the records of a segment lie, so as to begin reading in the middle of it. */

/** One entry for so many bytes: little to read in vain, and 1 KiB of memory for 16 MiB of log. */
const SPACING_BYTES = 1 << 18;

/** Frame boundaries of one segment, noted by whoever reads through it. */
export class Waypoints {
  /** Both ascend. */
  #lsns: number[] = [];
  #offsets: number[] = [];

  /** Notes that a frame begins at `offset`, and that the newest record before it has this LSN. */
  note(lsn: number, offset: number): void {
    const position = countUpTo(this.#offsets, offset);
    const previous = this.#offsets[position - 1] ?? 0;
    const next = this.#offsets[position] ?? Infinity;
    if (offset - previous < SPACING_BYTES || next - offset < SPACING_BYTES) return;
    this.#lsns.splice(position, 0, lsn);
    this.#offsets.splice(position, 0, offset);
  }

  /** The last boundary before which no record is newer than `lsn`; undefined if none is known. */
  before(lsn: number): { lsn: number; offset: number } | undefined {
    const position = countUpTo(this.#lsns, lsn) - 1;
    if (position < 0) return undefined;
    return { lsn: this.#lsns[position]!, offset: this.#offsets[position]! };
  }
}

/** How many of the ascending `numbers` are not above `limit`. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
