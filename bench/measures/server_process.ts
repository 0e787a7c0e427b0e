/** Servers that are measured: each in a process of its own, for as long as a measure takes. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { ROOT } from "../machine.ts";

/** A server that answers. */
export interface Server {
  child: ChildProcess;
  port: number;
}

const PROBE_MS = 20;

/** The servers of one measure, all of which are ended with it. */
export class Servers implements AsyncDisposable {
  readonly #children: ChildProcess[] = [];

  /** Starts a server that prints a line which ends with `:PORT`. */
  async startPrinting(program: string, args: readonly string[]): Promise<Server> {
    const child = this.#spawn(program, args, "pipe");
    for await (const line of createInterface({ input: child.stdout! })) {
      const port = /:(\d+)\s*$/.exec(line)?.[1];
      if (port !== undefined) return { child, port: Number(port) };
    }
    throw new Error(`${program} ${args[0]} did not start`);
  }

  /** Starts a server that listens on `port`. */
  async startOn(port: number, program: string, args: readonly string[]): Promise<Server> {
    const child = this.#spawn(program, args, "ignore");
    let failure: Error | undefined;
    child.on("error", (error) => failure = error);
    while (!await answers(port)) {
      if (child.exitCode !== null || failure !== undefined) {
        throw new Error(`${program} did not start`, { cause: failure });
      }
      await delay(PROBE_MS);
    }
    return { child, port };
  }

  #spawn(program: string, args: readonly string[], output: "pipe" | "ignore"): ChildProcess {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", output, "inherit"] });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const ended = once(child, "exit");
      child.kill();
      return ended;
    }));
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const answered = await new Promise<boolean>((resolve) => {
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
  });
  socket.destroy();
  return answered;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
