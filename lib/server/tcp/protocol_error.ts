/**
 * Input after which nobody can know where the next command begins. Not an exception: parsers return
 * it, and hold nothing of what was sent.
 */
export interface ProtocolError {
  /** What is wrong, without the code or prefix that a protocol begins errors with. */
  readonly message: string;
  /** Whether the client gets to know; whoever speaks HTTP does not. */
  readonly isSilent?: boolean;
  /** Code of the text protocol, if it is another than `BadCommand`. */
  readonly code?: string;
}
