/** Every maximum and default of the engine, in one place, with the relations between them. */

import { assert } from "./assert.ts";

/** Longest key the format and the index can hold, in bytes of UTF-8. */
export const KEY_BYTES_LIMIT = 65_536;
/** Longest value the format can hold, in bytes. */
export const VALUE_BYTES_LIMIT = 1 << 30;
/** Default of the option `keyBytesMax`. */
export const KEY_BYTES_MAX_DEFAULT = KEY_BYTES_LIMIT;
/** Default of the option `valueBytesMax`. */
export const VALUE_BYTES_MAX_DEFAULT = 64 << 20;
/** A segment is never longer than this: offsets must fit 31 bits in the index. */
export const SEGMENT_BYTES_LIMIT = 2 ** 31 - 1;
/** Longest accepted `segmentBytesMax`, 1 GiB. */
export const SEGMENT_BYTES_MAX_LIMIT = 1 << 30;
/** Smallest accepted `segmentBytesMax`. */
export const SEGMENT_BYTES_MIN = 4096;
/** Default of the option `segmentBytesMax`. */
export const SEGMENT_BYTES_MAX_DEFAULT = 64 << 20;
/** All records of one batch together, in bytes: a batch lies in one segment. */
export const BATCH_BYTES_LIMIT = (1 << 30) + (128 << 20);
/** Operations in one batch. */
export const BATCH_OPS_LIMIT = 1_000_000;
/** The last log sequence number; the index keeps 48 bits. A million writes a second take 8.9 years. */
export const LSN_LIMIT = 2 ** 48 - 1;
/** File ids fit 32 bits. */
export const FILE_ID_LIMIT = 2 ** 32 - 1;
/** Requests that a server works on at once; it refuses more. */
export const REQUESTS_MAX = 1024;
/** Bytes of long request bodies that a server holds at once, 256 MiB; it refuses more. */
export const BODY_BYTES_HELD_MAX = 256 << 20;
/** Bytes of long answers that a server holds for readers at once, 256 MiB; it refuses more. */
export const RESPONSE_BYTES_HELD_MAX = 256 << 20;
/** Change feeds that a server has open at once; it refuses more. */
export const CHANGE_FEEDS_MAX = 1000;
/** Backups that a server sends at once; it refuses more. */
export const BACKUPS_SENT_MAX = 4;
/** A request body may take so long, in milliseconds, however short it is. */
export const BODY_RECEIVE_MS = 20_000;
/** And longer only if it comes at least this fast. */
export const BODY_BYTES_PER_SECOND_MIN = 16 << 10;
/** Latest expiry time, in milliseconds since the epoch: what a Date can show. */
export const EXPIRES_AT_LIMIT = 8_640_000_000_000_000;

assert(KEY_BYTES_LIMIT <= 2 ** 16, "key length - 1 is kept in 16 bits");
assert(
  VALUE_BYTES_LIMIT + KEY_BYTES_LIMIT + 4096 < BATCH_BYTES_LIMIT &&
    BATCH_BYTES_LIMIT + SEGMENT_BYTES_MIN < SEGMENT_BYTES_LIMIT,
  "the largest record fits a batch, and the largest batch fits a segment",
);
