/**
 * The lines of earlier shells, in a file of the user's own. Lines that look as if they held a secret
 * are not kept, and neither are those that begin with a blank.
 */

import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { systemReason } from "../system_reason.ts";

/** As many lines as are offered again. */
export const HISTORY_LINES_MAX = 1000;
/** A longer line is of more use in a file of its own. */
const LINE_LENGTH_MAX = 4096;
/** A longer file is not one of ours. */
const FILE_BYTES_MAX = 2 * HISTORY_LINES_MAX * LINE_LENGTH_MAX;
const SECRET = /pass(?:wor[dt]|wd|phrase)|secret|token|credential|api.?key|private.?key|bearer/i;

/** Where the history is, by the environment: in the directory for state of the XDG convention. */
export function historyPath(env: Record<string, string | undefined> = process.env): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = env;
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) {
    return join(XDG_STATE_HOME, "cairn", "history");
  }
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "cairn", "history");
  return join(env["HOME"] || homedir(), ".local", "state", "cairn", "history");
}

/** Whether a line may be kept in a file; `token` is the one that this shell itself uses. */
export function mayBeKept(line: string, token: string | undefined): boolean {
  return line !== "" && !/^\s/.test(line) && !line.includes("\n") &&
    line.length <= LINE_LENGTH_MAX && !SECRET.test(line) &&
    !(token !== undefined && token !== "" && line.includes(token));
}

/** The file. Whatever is wrong with it, the shell goes on without. */
export class History {
  /** Lines from earlier on, the newest last. */
  readonly lines: string[] = [];
  readonly #path: string;
  #problem: string | undefined;
  #last: string | undefined;

  /** Reads the file, and makes it if there is none. */
  constructor(path: string) {
    this.#path = path;
    this.#attempt(() => this.#load());
    this.#last = this.lines.at(-1);
  }

  /** Why lines are not kept; undefined while they are. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Adds a line, for shells to come. */
  add(line: string): void {
    if (this.#problem !== undefined || line === this.#last) return;
    this.#last = line;
    this.#attempt(() => {
      const fd = openSync(this.#path, "a", 0o600);
      try {
        writeSync(fd, `${line}\n`);
      } finally {
        closeSync(fd);
      }
    });
  }

  #load(): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    // A pipe would keep whoever opens it waiting.
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found !== undefined && !found.isFile()) throw new Error("it is not a file");
    const fd = openSync(this.#path, "a+", 0o600);
    try {
      const stat = fstatSync(fd);
      if (stat.size > FILE_BYTES_MAX) throw new Error("it is no history of Cairn's");
      if ((stat.mode & 0o077) !== 0) chmodSync(this.#path, 0o600);
    } finally {
      closeSync(fd);
    }
    const lines = readFileSync(this.#path, "utf8").split("\n").filter((line) => line !== "");
    this.lines.push(...lines.slice(-HISTORY_LINES_MAX));
    if (lines.length > 2 * HISTORY_LINES_MAX) this.#shorten();
  }

  #shorten(): void {
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, `${this.lines.join("\n")}\n`, { flag: "wx", mode: 0o600 });
      renameSync(temporary, this.#path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#problem = systemReason(error);
    }
  }
}
