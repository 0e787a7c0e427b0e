/** A few records of a segment side by side: what an index must know of them, and where their keys are. */

/** Room for some records that have not expired, whose keys lie in bytes that somebody else owns. */
export class RecordColumns {
  /** How many records there are. */
  count = 0;
  /** Where the keys begin in those bytes. */
  readonly keyStarts: Int32Array;
  readonly keyLengths: Int32Array;
  /** Where the frames begin in the segment. */
  readonly offsets: Int32Array;
  /** 0 for a delete. */
  readonly frameLengths: Int32Array;
  readonly crcs: Uint32Array;
  readonly lsns: Float64Array;
  /** 0 for never. */
  readonly expiresAt: Float64Array;

  /** Room for `countMax` records. */
  constructor(countMax: number) {
    this.keyStarts = new Int32Array(countMax);
    this.keyLengths = new Int32Array(countMax);
    this.offsets = new Int32Array(countMax);
    this.frameLengths = new Int32Array(countMax);
    this.crcs = new Uint32Array(countMax);
    this.lsns = new Float64Array(countMax);
    this.expiresAt = new Float64Array(countMax);
  }
}
