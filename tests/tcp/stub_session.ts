/** Sessions that do what a test says. */

import type { SessionFactory } from "../../lib/server/tcp/mod.ts";
import type { Reply } from "../../lib/server/tcp/resp/reply.ts";
import type { Session, SessionConnection } from "../../lib/server/tcp/resp/session.ts";
import { latin1 } from "./fed_parser.ts";

/** Answers each command with its words; those of {@link StubSession.execute} do something else. */
export class StubSession implements Session {
  protocol: 2 | 3 = 2;
  isClosing = false;
  isAuthenticated = true;
  isBusy = false;
  isClosed = false;
  readonly connection: SessionConnection;
  /** Commands executed. */
  readonly executed: string[] = [];
  readonly #waiting = new Map<string, (reply: Reply) => void>();

  constructor(connection: SessionConnection) {
    this.connection = connection;
  }

  execute(args: readonly Uint8Array[]): Reply | Promise<Reply> {
    const words = args.map(latin1);
    this.executed.push(words.join(" "));
    const [name, argument = ""] = words;
    switch (name) {
      case "WAIT":
        return new Promise((resolve) => this.#waiting.set(argument, resolve));
      case "HELLO":
        this.protocol = argument === "3" ? 3 : 2;
        return (out) => out.map(0);
      case "QUIT":
        this.isClosing = true;
        return (out) => out.simple("OK");
      case "NIL":
        return (out) => out.nullBulk();
      case "THROW":
        throw new Error("a defect");
      case "REJECT":
        return Promise.reject(new Error("a defect"));
      case "BROKEN":
        return () => {
          throw new Error("a defect");
        };
      case "LONG":
        return (out) => out.bulk(new Uint8Array(Number(argument)).fill(120));
      default: {
        const copy = words.join(" ");
        return (out) => out.bulk(Uint8Array.from(copy, (each) => each.charCodeAt(0)));
      }
    }
  }

  close(): void {
    this.isClosed = true;
  }

  /** Answers a WAIT. */
  answer(argument: string): void {
    this.#waiting.get(argument)?.((out) => out.simple(argument));
  }
}

/** Makes them, and remembers them in `made`. */
export function stubSessions(made: StubSession[] = []): SessionFactory {
  return (connection) => {
    const session = new StubSession(connection);
    made.push(session);
    return session;
  };
}

/** A command as clients send it. */
export function command(...words: string[]): string {
  const bulk = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulk.join("")}`;
}
