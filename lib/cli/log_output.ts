/**
 * Standard error for log entries. A reader that has stopped reading must neither stop the store nor
 * make it grow: what does not fit into the pipe waits in memory up to a limit, and what exceeds that
 * is dropped and counted.
 */

import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs";
import process from "node:process";
import { type Clock, systemClock } from "../clock.ts";

const STDERR = 2;
/** As much as may wait. */
const WAITING_BYTES_MAX = 1 << 20;
const RETRY_MS = 50;
/** How long the end of the process may be held up by lines that nobody has read yet. */
const LAST_LINES_MS = 500;

/** Takes lines, now or not at all. */
export interface LogOutput {
  /** Takes a line without its end. */
  writeLine(line: string): void;
}

/** How bytes get into a descriptor; the seam by which a test plays a stuck pipe. */
export interface Descriptor {
  /** Writes what there is room for at once, and returns how much that was. */
  writeNow?(bytes: Uint8Array): number;
  /** Writes some of the bytes and tells how much, sooner or later; where `writeNow` cannot be had. */
  writeLater?(bytes: Uint8Array, done: (error: unknown, byteLength: number) => void): void;
}

/** Lines on their way to a descriptor. */
export class BoundedLogOutput implements LogOutput {
  #descriptor: Descriptor;
  #clock: Clock;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #busy = false;
  #encoder = new TextEncoder();
  #noticeOf: (dropped: number) => string;

  /** Writes to `descriptor`; `noticeOf` makes the line that stands in for lines dropped. */
  constructor(
    descriptor: Descriptor,
    noticeOf: (dropped: number) => string,
    clock: Clock = systemClock,
  ) {
    this.#descriptor = descriptor;
    this.#noticeOf = noticeOf;
    this.#clock = clock;
  }

  /** Bytes that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  writeLine(line: string): void {
    const bytes = this.#encoder.encode(`${line}\n`);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#push(bytes);
    if (!this.#busy) this.#drain();
  }

  /** Gives the last lines some time; to be called when the process ends. */
  finish(pause: (ms: number) => void): void {
    for (let waitedMs = 0; waitedMs <= LAST_LINES_MS; waitedMs += RETRY_MS) {
      if (this.#descriptor.writeNow === undefined) return;
      this.#writeNow(this.#descriptor);
      if (this.#waiting.length === 0) return;
      pause(RETRY_MS);
    }
  }

  #push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #drain(): void {
    const descriptor = this.#descriptor;
    if (descriptor.writeNow !== undefined) {
      this.#writeNow(descriptor);
      if (this.#waiting.length === 0) return;
      this.#busy = true;
      this.#clock.schedule(RETRY_MS, () => {
        this.#busy = false;
        this.#drain();
      }, true);
    } else if (this.#waiting.length > 0) {
      this.#busy = true;
      descriptor.writeLater?.(this.#waiting[0]!, (error, byteLength) => {
        this.#busy = false;
        if (error === null) this.#taken(byteLength);
        else this.#giveUp();
        this.#drain();
      });
    }
  }

  #writeNow(descriptor: Descriptor): void {
    while (this.#waiting.length > 0) {
      try {
        const byteLength = descriptor.writeNow!(this.#waiting[0]!);
        if (byteLength === 0) return;
        this.#taken(byteLength);
      } catch {
        return this.#giveUp();
      }
    }
  }

  #taken(byteLength: number): void {
    const first = this.#waiting[0]!;
    this.#waitingBytes -= byteLength;
    if (byteLength < first.length) this.#waiting[0] = first.subarray(byteLength);
    else this.#waiting.shift();
    if (this.#waiting.length > 0 || this.#dropped === 0) return;
    const notice = this.#noticeOf(this.#dropped);
    this.#dropped = 0;
    this.#push(this.#encoder.encode(`${notice}\n`));
  }

  /** A log that nobody can read must not stop the store. */
  #giveUp(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** Standard error of this process; what waits in it is given a little time when the process ends. */
export function openLogOutput(noticeOf: (dropped: number) => string): LogOutput {
  const output = new BoundedLogOutput(standardError(), noticeOf);
  process.on("exit", () => output.finish(pause));
  return output;
}

function standardError(): Descriptor {
  const fd = reopened();
  if (fd !== undefined) return { writeNow: (bytes) => writeIfRoom(fd, bytes) };
  return {
    writeLater: (bytes, done) => write(STDERR, bytes, 0, bytes.length, null, done),
  };
}

/**
 * A descriptor of one's own for the same pipe or terminal, so that it can be made non-blocking: with
 * the shared one, every process that has it would be. Files never block for long.
 */
function reopened(): number | undefined {
  try {
    if (fstatSync(STDERR).isFile()) return STDERR;
    if (process.platform !== "linux") return undefined;
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND;
    const fd = openSync(`/proc/self/fd/${STDERR}`, flags | (constants.O_NOCTTY ?? 0));
    process.on("exit", () => closeSync(fd));
    return fd;
  } catch {
    return undefined; // a socket, or somebody else's terminal
  }
}

function writeIfRoom(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes, 0, bytes.length);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "EAGAIN" || code === "EINTR") return 0;
    throw error;
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
