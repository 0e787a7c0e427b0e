/** What RESP commands answer: a function that writes the reply, in whichever version the client speaks. */

/** Writes one reply after the other behind each other, as RESP 2 or 3. */
export interface ReplyEncoder {
  /** A status such as `OK`; without line breaks. */
  simple(text: string): void;
  /** An error: its prefix in capitals, a space, and what is wrong. Line breaks become spaces. */
  error(text: string): void;
  /** A signed 64-bit integer. */
  integer(value: number | bigint): void;
  /** A string of bytes, or of text as UTF-8. */
  bulk(value: Uint8Array | string): void;
  /** "There is none", where a bulk string could be. */
  nullBulk(): void;
  /** "There is none", where an array could be. */
  nullArray(): void;
  /** Begins an array: `length` replies follow. */
  array(length: number): void;
  /** Begins a set: `length` replies follow, none of them twice; in RESP 2 an array. */
  set(length: number): void;
  /** Begins a map: `length` pairs of replies follow; in RESP 2 an array twice as long. */
  map(length: number): void;
  /** Text that people read, as `INFO` gives; in RESP 2 a bulk string. */
  verbatim(text: string): void;
  /**
   * Bytes that are replies already, written the same way in both versions, such as bulk strings. For
   * replies so long that writing them one by one would hold up everything else; without it that is
   * what happens. The bytes must not change any more.
   */
  encoded?(replies: Uint8Array): void;
}

/** A reply. It may be called later than the command was executed, and is called once. */
export type Reply = (out: ReplyEncoder) => void;
