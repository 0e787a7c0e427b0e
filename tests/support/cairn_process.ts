/** Runs the built executable as its users do: with arguments, standard input, signals. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The executable under test. */
export const CAIRN: string = process.env["CAIRN_BINARY"] ??
  fileURLToPath(new URL("../../dist/cairn", import.meta.url));

/** How many threads servers have, wherever a test does not say it. */
let threadsOfServers = Number(process.env["CAIRN_TEST_THREADS"] ?? 1);
const START_TIMEOUT_MS = 20_000;

/** How a process is to be run. */
export interface RunOptions {
  /** Standard input; nothing, at its end, by default. With null it stays open. */
  stdin?: string | Uint8Array | null;
  /** Beside PATH and HOME. */
  env?: Record<string, string>;
  cwd?: string;
}

/** What a process left behind. */
export interface RunResult {
  exitCode: number | null;
  signal: string | null;
  stdout: Uint8Array;
  stderr: string;
  /** Standard output as text. */
  text: string;
}

/** Runs `cairn` to its end. */
export async function runCairn(args: string[], options: RunOptions = {}): Promise<RunResult> {
  return await finished(start(CAIRN, args, options));
}

/** Runs a command line of the shell, in which `cairn` is `"$CAIRN"`. */
export async function runShell(script: string, options: RunOptions = {}): Promise<RunResult> {
  return await finished(start("/bin/sh", ["-c", script], options));
}

/** Runs a command line of the shell in a terminal of its own; undefined where that cannot be done. */
export async function runInTerminal(
  script: string,
  options: RunOptions = {},
): Promise<RunResult | undefined> {
  if (process.platform !== "linux" || !existsSync("/usr/bin/script")) return undefined;
  return await finished(start("/usr/bin/script", ["-qefc", script, "/dev/null"], options));
}

/** Runs `cairn` and expects it to succeed. */
export async function cairn(args: string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await runCairn(args, options);
  assert.equal(result.exitCode, 0, `cairn ${args.join(" ")}: ${result.stderr}`);
  assert.equal(result.stderr, "");
  return result;
}

/** Runs `cairn`, and expects this exit code, nothing on standard output, and one line of error. */
export async function cairnFails(
  exitCode: number,
  args: string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await runCairn(args, options);
  assert.equal(result.text, "");
  assertOneLineError(result, exitCode);
  return result.stderr;
}

/** Errors are one line, begin with the program's name, and show no stack. */
export function assertOneLineError({ stderr, exitCode }: RunResult, expected: number): void {
  assert.equal(exitCode, expected, stderr);
  assert.match(stderr, /^cairn: [^\n]+\n$/);
  assert.doesNotMatch(stderr, /\bat .+:\d+:\d+|\.ts\b/);
}

/** A running `cairn` whose lines can be waited for. It is killed at the end of the scope. */
export class CairnProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #result: Promise<RunResult>;
  #text = "";
  #news: () => void = () => {};

  /** Starts it; standard input stays open with `stdin: null`. */
  constructor(args: string[], options: RunOptions = {}) {
    this.#child = start(CAIRN, args, options);
    this.#result = finished(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Uint8Array) => {
        this.#text += new TextDecoder().decode(chunk);
        this.#news();
      });
    }
    this.#child.once("close", () => this.#news());
  }

  /** Resolves once it has printed something that matches. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#text)) {
      const { exitCode, signalCode } = this.#child;
      assert(exitCode === null && signalCode === null, `it has ended: ${this.#text}`);
      await new Promise<void>((resolve) => this.#news = resolve);
    }
  }

  /** Writes to its standard input. */
  write(input: string | Uint8Array): void {
    this.#child.stdin?.write(input);
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** As {@link write}, and resolves when it has taken it. */
  async feed(input: string | Uint8Array): Promise<void> {
    const stdin = this.#child.stdin!;
    if (stdin.write(input)) return;
    await Promise.race([new Promise((resolve) => stdin.once("drain", resolve)), this.#result]);
  }

  /** Says that nothing more comes. */
  closeInput(): void {
    this.#child.stdin?.end();
  }

  /** Resolves when it has ended by itself. */
  ended(): Promise<RunResult> {
    return this.#result;
  }

  /** Sends a signal, and resolves when it has ended. */
  async stop(signal: NodeJS.Signals): Promise<RunResult> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(this.#child.pid!, signal);
    }
    return await this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }
}

/** From now on, servers that this file's tests start have so many threads. */
export function serveWithThreads(threads: number): void {
  threadsOfServers = threads;
}

/** A running `cairn serve`. It is killed at the end of the scope. */
export class ServerProcess {
  readonly url: string;
  readonly port: number;
  /** Port of the TCP service; 0 if there is none. */
  readonly tcpPort: number;
  /** What it said when it was ready. */
  readonly announced: string;
  readonly pid: number;
  readonly #result: Promise<RunResult>;
  #running = true;

  constructor(
    child: ChildProcess,
    url: string,
    tcpUrl: string | undefined,
    result: Promise<RunResult>,
  ) {
    assert(child.pid !== undefined);
    this.#result = result;
    child.once("exit", () => this.#running = false);
    this.url = url;
    this.port = Number(new URL(url).port);
    this.tcpPort = Number(/:(\d+)$/.exec(tcpUrl ?? "")?.[1] ?? 0);
    this.announced = tcpUrl === undefined ? url : `${url} and ${tcpUrl}`;
    this.pid = child.pid;
  }

  /** Sends a signal without waiting for its effect. */
  signal(signal: NodeJS.Signals): void {
    // Not child.kill(): under Deno that decides by itself what the process then died of.
    if (this.#running) process.kill(this.pid, signal);
  }

  /** Resolves when the process has ended. */
  ended(): Promise<RunResult> {
    return this.#result;
  }

  /** Ends it by a signal. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<RunResult> {
    this.signal(signal);
    return await this.#result;
  }

  /** Ends it the hard way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }
}

/** Starts `cairn serve` on free ports, HTTP and TCP, and waits until it says where. */
export async function startServer(
  directory: string,
  args: string[] = [],
  options: RunOptions = {},
  command = CAIRN,
): Promise<ServerProcess> {
  const threads = threadsOfServers === 1 || args.includes("--threads")
    ? []
    : ["--threads", String(threadsOfServers)];
  const where = ["--db", directory, "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"];
  const child = start(command, ["serve", ...where, ...threads, ...args], options);
  const result = finished(child);
  const [url, tcpUrl] = await new Promise<[string, string | undefined]>((resolve, reject) => {
    const fail = (why: string) => {
      child.kill("SIGKILL");
      reject(new Error(`cairn serve ${why}`));
    };
    const timer = setTimeout(() => fail("did not say where it listens"), START_TIMEOUT_MS);
    let text = "";
    child.stdout?.on("data", (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
      const match = /(https?:\/\/\S+)(?: and (\S+))?\n/.exec(text);
      if (match?.[1] === undefined) return;
      clearTimeout(timer);
      resolve([match[1], match[2]]);
    });
    result.then(({ stderr }) => {
      clearTimeout(timer);
      fail(`ended at once: ${stderr}`);
    });
  });
  return new ServerProcess(child, url, tcpUrl, result);
}

/** Sends bytes to a port of this machine as they are, and returns all that comes back. */
export async function rawExchange(port: number, request: string | Uint8Array): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let response = "";
  socket.on("data", (chunk: Uint8Array) => response += new TextDecoder("latin1").decode(chunk));
  socket.on("error", () => {}); // a server may close while we are still sending
  socket.write(request);
  const closed = new Promise((resolve) => socket.on("close", resolve)); // once() would throw errors
  await Promise.race([closed, responseIsWhole(socket, () => response)]);
  socket.destroy();
  return response;
}

/** As {@link rawExchange}, for requests after which the server closes the connection, well or not. */
export async function exchangeUntilClosed(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let response = "";
  socket.on("data", (chunk: Uint8Array) => response += new TextDecoder("latin1").decode(chunk));
  socket.on("error", () => {}); // cut off
  socket.write(request);
  await new Promise((resolve) => socket.once("close", resolve));
  return response;
}

async function responseIsWhole(
  socket: { destroyed: boolean },
  text: () => string,
): Promise<void> {
  while (!socket.destroyed) {
    const [head, body] = text().split("\r\n\r\n", 2);
    const length = /content-length: (\d+)/i.exec(head ?? "")?.[1];
    if (body !== undefined && body.length >= Number(length ?? 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function start(command: string, args: string[], { stdin, env, cwd }: RunOptions): ChildProcess {
  assert(existsSync(CAIRN), `${CAIRN} is missing: run "deno task build" first`);
  const { PATH = "/usr/bin:/bin", HOME = "/" } = process.env;
  const child = spawn(command, args, {
    env: { PATH, HOME, CAIRN, ...env },
    cwd: cwd ?? tmpdir(),
    stdio: "pipe",
  });
  child.stdin?.on("error", () => {}); // it may end without reading everything
  if (stdin !== null) child.stdin?.end(stdin ?? "");
  return child;
}

async function finished(child: ChildProcess): Promise<RunResult> {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  child.stdout?.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr?.on("data", (chunk: Uint8Array) => err.push(chunk));
  const [exitCode, signal] = await once(child, "close") as [number | null, string | null];
  const stdout = new Uint8Array(Buffer.concat(out));
  const text = new TextDecoder().decode(stdout);
  return { exitCode, signal, stdout, text, stderr: Buffer.concat(err).toString("utf8") };
}
