/**
 * Lines that a person edits at a terminal, by the `readline` of the runtime. It is handed the keys by
 * us instead of reading the terminal itself: so nothing is read while a command runs, what was typed
 * or pasted ahead waits its turn, and output is in the order in which it was written.
 */

import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { CliError } from "../cli_error.ts";
import { writeFully } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { InterruptedError } from "../interruption.ts";
import { DROPPED, type LineSource, readInput } from "./line_source.ts";

const STDOUT = 1;
const COLUMNS_DEFAULT = 80;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const TAB = 0x09;
const CTRL_C = "\x03";

/** What may stand in the place of the end of a line: texts that each begin with `replaced`. */
export interface Completion {
  replaced: string;
  texts: string[];
}

/** What {@link LineEditor} is made of. */
export interface LineEditorOptions {
  /** The descriptor of the terminal to draw on. */
  fd: number;
  /** Earlier lines, the newest last. */
  history: readonly string[];
  historyLinesMax: number;
  /** What the Tab key does; `line` is what is left of the cursor. */
  complete: (line: string) => Promise<Completion>;
}

/** Edited lines. */
export class LineEditor implements LineSource {
  readonly #keys = new Keys();
  readonly #screen: Screen;
  readonly #interface: Interface;
  #held: Uint8Array = new Uint8Array();
  #line: string | typeof DROPPED | undefined;
  #isClosed = false;
  /** Lines of several bytes a character may come in pieces, so this spans them. */
  #decoder = new TextDecoder("utf-8", { fatal: true });
  #isMalformed = false;

  /** Draws nothing yet. */
  constructor({ fd, history, historyLinesMax, complete }: LineEditorOptions) {
    this.#screen = new Screen(fd);
    this.#interface = createInterface({
      input: this.#keys,
      output: this.#screen,
      terminal: true,
      history: history.toReversed(),
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      completer(line: string, done: (error: null, result: [string[], string]) => void) {
        complete(line).then(
          ({ replaced, texts }) => done(null, [texts, replaced]),
          () => done(null, [[], line]),
        );
      },
    });
    this.#interface.on("line", (line) => this.#line = line);
    this.#interface.on("close", () => this.#isClosed = true);
    this.#interface.on("SIGINT", () => this.#drop());
    // Without a listener it would stay paused when the process is continued.
    this.#interface.on("SIGCONT", () => this.#interface.prompt(true));
  }

  async read(prompt: string): Promise<string | undefined | typeof DROPPED> {
    this.#line = undefined;
    this.#isMalformed = false;
    this.#keys.setRawMode(true);
    try {
      this.#interface.setPrompt(prompt);
      this.#interface.prompt();
      while (this.#line === undefined && !this.#isClosed) {
        if (this.#held.length === 0) this.#held = await readInput();
        if (this.#held.length === 0) break;
        this.#keys.press(this.#takeHeld());
        // Completing takes time, and what is typed meanwhile comes behind it.
        if (this.#line === undefined && !this.#isClosed) await this.#keys.resumed();
      }
    } finally {
      this.#keys.setRawMode(false);
    }
    const line = this.#line as string | typeof DROPPED | undefined;
    if (line === undefined) this.#screen.write("\n");
    if (this.#isMalformed && typeof line === "string") {
      throw new CliError(EXIT_CODE.usage, "what was typed is not valid UTF-8: set the terminal so");
    }
    return line;
  }

  /** Asks a question that one key answers, which `readKey` waits for. */
  ask(question: string, readKey: () => Uint8Array): boolean {
    this.#keys.setRawMode(true);
    try {
      this.#screen.write(question);
      const answer = new TextDecoder().decode(readKey());
      if (answer.startsWith(CTRL_C)) {
        this.#screen.write("^C");
        throw new InterruptedError("SIGINT");
      }
      const isYes = /^y/i.test(answer);
      this.#screen.write(isYes ? "y\n" : "n\n");
      return isYes;
    } finally {
      this.#keys.setRawMode(false);
    }
  }

  [Symbol.dispose](): void {
    this.#interface.close();
    this.#screen.dispose();
    this.#keys.setRawMode(false);
  }

  /** What there is up to the end of a line: the rest is for whoever comes after this line. */
  #takeHeld(): Uint8Array {
    const held = this.#held;
    const end = held.findIndex((byte) => byte === CARRIAGE_RETURN || byte === LINE_FEED) + 1;
    // The key pressed several times, and not text with tabs in it.
    const length = held.every((byte) => byte === TAB) ? 1 : end === 0 ? held.length : end;
    const taken = held.subarray(0, length);
    this.#held = held.subarray(length);
    try {
      this.#decoder.decode(taken, { stream: true });
    } catch {
      this.#isMalformed = true;
      this.#decoder = new TextDecoder("utf-8", { fatal: true });
    }
    return taken;
  }

  #drop(): void {
    const edited = this.#interface as unknown as { line: string; cursor: number };
    // To the end of a line that may take several rows.
    this.#interface.write(null as unknown as string, { ctrl: true, name: "e" });
    this.#screen.write("^C\n");
    edited.line = "";
    edited.cursor = 0;
    this.#line = DROPPED;
  }
}

/** Whether the terminal hands over every key at once, without showing it. */
export function setRawMode(isRaw: boolean): void {
  try {
    process.stdin.setRawMode?.(isRaw);
  } catch {
    // The terminal is gone; reading it will tell.
  }
}

/** The keys, as a stream that is written to by us. */
class Keys extends Readable {
  readonly isTTY = true;
  #isPaused = false;
  #wake: (() => void) | undefined;

  press(bytes: Uint8Array): void {
    this.emit("data", bytes);
  }

  /** Resolves when what was pressed is dealt with. */
  async resumed(): Promise<void> {
    if (this.#isPaused) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  setRawMode(isRaw: boolean): this {
    setRawMode(isRaw);
    return this;
  }

  override pause(): this {
    this.#isPaused = true;
    return this;
  }

  override resume(): this {
    this.#isPaused = false;
    this.#wake?.();
    this.#wake = undefined;
    return this;
  }

  override _read(): void {}
}

/** The terminal, written to at once. */
class Screen extends Writable {
  readonly isTTY = true;
  readonly #fd: number;
  readonly #stream: typeof process.stdout | typeof process.stderr;
  readonly #resized = () => void this.emit("resize");

  constructor(fd: number) {
    super();
    this.#fd = fd;
    this.#stream = fd === STDOUT ? process.stdout : process.stderr;
    this.#stream.on("resize", this.#resized);
  }

  get columns(): number {
    return this.#stream.columns || COLUMNS_DEFAULT;
  }

  override write(chunk: unknown): boolean {
    try {
      writeFully(this.#fd, new TextEncoder().encode(String(chunk)));
    } catch {
      // The same.
    }
    return true;
  }

  dispose(): void {
    this.#stream.off("resize", this.#resized);
  }
}
