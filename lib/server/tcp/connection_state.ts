/** What a connection is at. */

import type { ConnectionContext } from "./connection_context.ts";
import type { Session } from "./resp/session.ts";
import type { TextSession } from "./text/text_session.ts";

/** What a command is in. */
export type Protocol = "text" | "resp";

/**
 * open: commands are taken; closing: none any more, but replies are still to come; lingering: all is
 * sent, and the client is to close; closed.
 */
export type State = "open" | "closing" | "lingering" | "closed";

/** Bits of what a client may read without asking the thread that has its sessions. */
export const READS_TEXT = 1;
/** The same for RESP, by the version that replies are written in. */
export const READS_RESP_2 = 2;
/** See {@link READS_RESP_2}. */
export const READS_RESP_3 = 4;

/** These bits. Before a client has used a protocol, it is to be met by the thread with the sessions. */
export function readsElsewhere(
  { tracing }: ConnectionContext,
  text: TextSession,
  session: Session | undefined,
): number {
  if (tracing.enabled) return 0; // each operation is to have a span
  const ofText = text.isRestricted ? 0 : READS_TEXT;
  if (session?.isPlain !== true) return ofText;
  return ofText | (session.protocol === 3 ? READS_RESP_3 : READS_RESP_2);
}
