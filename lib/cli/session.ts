/**
 * The session of `cairn shell`, if this process is in one. Signals and standard input are the
 * process's, and so is this: commands ask here where they are run from.
 */

import type { Access, Target } from "./target/target.ts";

/** What the commands of a session share. */
export interface Session {
  /** The one store that all commands work on. Disposing of it leaves it open. */
  open(access: Access): Promise<Target>;
  /** Puts a question to the person at the terminal; undefined where there is none. */
  ask?: (question: string) => boolean;
}

let current: Session | undefined;

/** The session that this process is in; undefined if it runs one command and ends. */
export function currentSession(): Session | undefined {
  return current;
}

/** Begins a session, which lasts until what is returned is disposed of. */
export function beginSession(session: Session): Disposable {
  current = session;
  return { [Symbol.dispose]: () => current = undefined };
}
