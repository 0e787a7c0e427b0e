/** A range of keys, as bytes. */

/** Which keys to collect, in byte order. */
export interface KeyRange {
  /** Where the range begins; from the first key when absent. */
  lower?: Uint8Array | undefined;
  /** Whether `lower` itself is in the range. */
  lowerInclusive: boolean;
  /** Where the range ends; with the last key when absent. */
  upper?: Uint8Array | undefined;
  /** Whether `upper` itself is in the range; it is not when this is absent. */
  upperInclusive?: boolean | undefined;
  /** From the last key of the range down. */
  reverse: boolean;
}
