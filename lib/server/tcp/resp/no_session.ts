/** A session that knows no commands. */

import type { SessionFactory } from "../connection_context.ts";

const NAME_CHARACTERS_MAX = 128;

/** Makes sessions that answer every command as Redis answers those it does not know. */
export const unknownCommands: SessionFactory = () => ({
  protocol: 2,
  isClosing: false,
  execute([name]) {
    const shown = new TextDecoder().decode(name!.subarray(0, NAME_CHARACTERS_MAX));
    return (out) => out.error(`ERR unknown command '${shown}'`);
  },
  close() {},
});
