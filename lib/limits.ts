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
/** Connections that a TCP server has at once; it refuses more. */
export const TCP_CLIENTS_MAX = 10_000;
/** Commands of one connection that may wait for their answers; further ones are read later. */
export const TCP_COMMANDS_IN_FLIGHT_MAX = 1024;
/** All of one command in bytes, with what its arguments take in memory: 128 MiB. */
export const TCP_COMMAND_BYTES_MAX = 128 << 20;
/** Bytes of unfinished commands over 64 KiB that a TCP server holds at once, 256 MiB. */
export const TCP_INPUT_BYTES_HELD_MAX = 256 << 20;
/** Bytes of long values that a TCP server reads at once, 128 MiB; a longer one alone. */
export const TCP_LONG_READ_BYTES_MAX = 128 << 20;
/** Unsent bytes of replies from which on no further command of a connection is executed, 1 MiB. */
export const TCP_OUTPUT_BYTES_CALM = 1 << 20;
/** Unsent bytes of replies at which a connection is cut off, 256 MiB. */
export const TCP_OUTPUT_BYTES_MAX = 256 << 20;
/** Unsent bytes of replies that a TCP server holds for all its connections, 512 MiB. */
export const TCP_OUTPUT_BYTES_HELD_MAX = 512 << 20;
/** A connection is cut off if it has taken no replies for so long, in milliseconds. */
export const TCP_STALL_MS = 20_000;
/** And if it takes them more slowly than this. */
export const TCP_BYTES_PER_SECOND_MIN = 16 << 10;
/** A connection that has sent nothing for so long is closed, in milliseconds. */
export const TCP_IDLE_MS = 3_600_000;
/** A connection that has not sent one whole command within so long is closed, in milliseconds. */
export const TCP_FIRST_COMMAND_MS = 60_000;
/** Arguments of a RESP command, as in Redis. */
export const RESP_ARGUMENTS_MAX = 1 << 20;
/** Line of a RESP command that holds a number, in bytes, as in Redis. */
export const RESP_HEADER_BYTES_MAX = 64 << 10;
/** Arguments of a RESP command before a token was sent, as in Redis. */
export const RESP_UNAUTHENTICATED_ARGUMENTS_MAX = 10;
/** Bytes of an argument before a token was sent, as in Redis. */
export const RESP_UNAUTHENTICATED_BYTES_MAX = 16 << 10;
/** Line of the text protocol, in bytes: the longest key, a command and a length. */
export const TEXT_LINE_BYTES_MAX = KEY_BYTES_LIMIT + 64;
/** Value of a set of the text protocol before a token was sent, in bytes. */
export const TEXT_UNAUTHENTICATED_BYTES_MAX = 16 << 10;
/** Latest expiry time, in milliseconds since the epoch: what a Date can show. */
export const EXPIRES_AT_LIMIT = 8_640_000_000_000_000;
/** Commands that one RESP transaction may hold. */
export const RESP_MULTI_COMMANDS_MAX = 100_000;
/** Bytes that RESP transactions, watched keys and replies of `KEYS` hold at once, 256 MiB. */
export const RESP_BYTES_HELD_MAX = 256 << 20;
/** Bytes of values that one RESP command or transaction may read and write, 256 MiB. */
export const RESP_BYTES_TOUCHED_MAX = 256 << 20;
/** Bytes of a name that a RESP client gives itself. */
export const RESP_NAME_BYTES_MAX = 1024;
/** Cursors of `SCAN` that a server remembers. */
export const SCAN_CURSORS_MAX = 10_000;
/** And bytes of their keys together, 16 MiB. */
export const SCAN_CURSOR_KEY_BYTES_MAX = 16 << 20;
/** Keys that one `SCAN` looks at, whatever `COUNT` says. */
export const SCAN_COUNT_MAX = 100_000;
/** Bytes of a pattern of keys, from the first character on that is not literal. */
export const PATTERN_BYTES_MAX = 1024;

assert(KEY_BYTES_LIMIT <= 2 ** 16, "key length - 1 is kept in 16 bits");
assert(
  VALUE_BYTES_LIMIT + KEY_BYTES_LIMIT + 4096 < BATCH_BYTES_LIMIT &&
    BATCH_BYTES_LIMIT + SEGMENT_BYTES_MIN < SEGMENT_BYTES_LIMIT,
  "the largest record fits a batch, and the largest batch fits a segment",
);
