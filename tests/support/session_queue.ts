/** Hands commands to a session as a connection does. */

import type { Reply } from "../../lib/server/tcp/resp/reply.ts";
import type { Session } from "../../lib/server/tcp/resp/session.ts";

interface Waiting {
  args: Uint8Array[];
  resolve: (reply: Reply | Promise<Reply>) => void;
}

/** The commands of one client: one that has to wait comes when enough of those before it are answered. */
export class SessionQueue {
  readonly #session: Session;
  readonly #waiting: Waiting[] = [];
  #owed = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** As that of the session. */
  execute(args: readonly Uint8Array[]): Reply | Promise<Reply> {
    if (this.#waiting.length === 0 && !this.#mustWait(args)) return this.#begin(args);
    const copies = args.map((arg) => new Uint8Array(arg));
    return new Promise((resolve) => void this.#waiting.push({ args: copies, resolve }));
  }

  #mustWait(args: readonly Uint8Array[]): boolean {
    const session = this.#session;
    return this.#owed > 0 && (session.isBusy === true || session.mustWait?.(args) === true);
  }

  #begin(args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const reply = this.#session.execute(args);
    if (!(reply instanceof Promise)) return reply;
    this.#owed++;
    return reply.finally(() => {
      this.#owed--;
      while (this.#waiting.length > 0 && !this.#mustWait(this.#waiting[0]!.args)) {
        const { args, resolve } = this.#waiting.shift()!;
        resolve(this.#begin(args));
      }
    });
  }
}
