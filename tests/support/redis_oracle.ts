/** A real redis-server, where there is one, to hold replies against. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quoted, wordsOf } from "./resp_text.ts";

/** Why there is no redis-server to be held against; undefined if there is one. */
export const ORACLE_MISSING: string | undefined = (() => {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (status !== 0) return "there is no redis-server";
  return / v=7\./.test(stdout) ? undefined : "redis-server is not of version 7";
})();

/** A server of its own on a socket of its own, and one connection to it. */
export class RedisOracle implements AsyncDisposable {
  readonly #directory: string;
  readonly #server: ChildProcess;
  readonly #path: string;
  readonly #connections: RedisConnection[] = [];

  private constructor(directory: string, server: ChildProcess, path: string) {
    this.#directory = directory;
    this.#server = server;
    this.#path = path;
  }

  static async start(): Promise<RedisOracle> {
    const directory = mkdtempSync(join(tmpdir(), "cairn-oracle-"));
    const path = join(directory, "socket");
    const args = ["--port", "0", "--unixsocket", path, "--save", "", "--databases", "1"];
    const server = spawn("redis-server", [...args, "--dir", directory], { stdio: "pipe" });
    await new Promise<void>((resolve, reject) => {
      let output = "";
      server.stdout!.on("data", (chunk) => {
        output += chunk;
        if (output.includes("eady to accept connections")) resolve();
      });
      server.once("error", reject);
      server.once("exit", () => reject(new Error(`redis-server ended: ${output}`)));
    });
    return new RedisOracle(directory, server, path);
  }

  /** Another client. */
  async connect(): Promise<RedisConnection> {
    const connection = await RedisConnection.open(this.#path);
    this.#connections.push(connection);
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    const ended = new Promise((resolve) => this.#server.once("exit", resolve));
    this.#server.kill("SIGKILL");
    await ended;
    rmSync(this.#directory, { recursive: true });
  }
}

/** One client of a redis-server. */
export class RedisConnection {
  readonly #socket: Socket;
  #received = new Uint8Array(0);
  #notify: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      const joined = new Uint8Array(this.#received.length + chunk.length);
      joined.set(this.#received);
      joined.set(chunk, this.#received.length);
      this.#received = joined;
      this.#notify?.();
    });
    socket.on("error", () => {});
  }

  static open(path: string): Promise<RedisConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new RedisConnection(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends a command, and returns its reply as text, as `textOf` writes it. */
  async send(command: string | Uint8Array[]): Promise<string> {
    const args = typeof command === "string" ? wordsOf(command) : command;
    this.#socket.write(`*${args.length}\r\n`);
    for (const arg of args) {
      this.#socket.write(`$${arg.length}\r\n`);
      this.#socket.write(arg);
      this.#socket.write("\r\n");
    }
    for (;;) {
      const parsed = parseReply(this.#received, 0);
      if (parsed !== undefined) {
        this.#received = this.#received.slice(parsed.end);
        return parsed.text;
      }
      await new Promise<void>((resolve) => this.#notify = resolve);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The reply that begins at `start`, if all of it is there. */
function parseReply(bytes: Uint8Array, start: number): { text: string; end: number } | undefined {
  const lineEnd = bytes.indexOf(0x0a, start);
  if (lineEnd === -1) return undefined;
  const line = new TextDecoder("latin1").decode(bytes.subarray(start, lineEnd - 1));
  const end = lineEnd + 1;
  const length = Number(line.slice(1));
  switch (line[0]) {
    case "+":
    case "-":
    case ":":
      return { text: line, end };
    case "_":
      return { text: "nil", end };
    case "$":
    case "=": {
      if (length === -1) return { text: "nil", end };
      if (bytes.length < end + length + 2) return undefined;
      const isVerbatim = line[0] === "=";
      const content = bytes.subarray(end + (isVerbatim ? 4 : 0), end + length);
      return { text: (isVerbatim ? "=" : "") + quoted(content), end: end + length + 2 };
    }
    case "*":
      if (length === -1) return { text: "nil[]", end };
      return parseItems(bytes, end, length, "[]");
    case "~":
      return parseItems(bytes, end, length, "()");
    case "%":
      return parseItems(bytes, end, length * 2, "{}");
    default:
      throw new Error(`redis-server sent ${line}`);
  }
}

function parseItems(bytes: Uint8Array, start: number, count: number, brackets: string) {
  const items: string[] = [];
  let end = start;
  for (let index = 0; index < count; index++) {
    const item = parseReply(bytes, end);
    if (item === undefined) return undefined;
    items.push(item.text);
    end = item.end;
  }
  return { text: brackets[0] + items.join(" ") + brackets[1], end };
}
