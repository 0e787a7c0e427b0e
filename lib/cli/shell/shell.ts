/** `cairn shell`: reads lines, and runs each as a command on the one store that it has open. */

import process from "node:process";
import { isatty } from "node:tty";
import { type Command, CommanderError } from "commander";
import { buildInfo } from "../build_info.ts";
import { CliError, OutputClosedError } from "../cli_error.ts";
import { writeFully } from "../descriptor.ts";
import { EXIT_CODE, type ExitCode } from "../exit_code.ts";
import { InterruptedError } from "../interruption.ts";
import { holdsStore } from "../open_store.ts";
import { printError } from "../print_error.ts";
import { runProgram } from "../run_program.ts";
import { beginSession, type Session } from "../session.ts";
import { chosenUrl, openNamedTarget, type TargetOptions } from "../target/choose_target.ts";
import type { Access, Target } from "../target/target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatQuantity } from "../text_format.ts";
import { completeLine } from "./complete_line.ts";
import { History, HISTORY_LINES_MAX, historyPath, mayBeKept } from "./history.ts";
import { LineEditor, setRawMode } from "./line_editor.ts";
import { DROPPED, type LineSource, PlainLines, readKey } from "./line_source.ts";
import { SessionTarget } from "./session_target.ts";
import { splitLine } from "./split_line.ts";

/** What a shell is begun with. */
export interface ShellOptions extends TargetOptions {
  keepGoing?: true;
}

/** What the commands of a shell are to know of it. */
export interface ShellSurroundings {
  /** Whether the store is a directory, which commands that work on files can be used on. */
  isDirectory: boolean;
  db: string;
  json: boolean;
  /** Called by the command that ends the shell. */
  leave: () => void;
}

/** Builds the parser of one line. */
export type CreateShellProgram = (surroundings: ShellSurroundings) => Command;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const PROMPT = "cairn> ";
const CONTINUED_PROMPT = "   ..> ";

/** Runs a shell to its end; resolves to what to exit with. */
export async function runShell(
  command: Command,
  createProgram: CreateShellProgram,
): Promise<ExitCode> {
  const shell = new Shell(command, createProgram);
  using _session = beginSession(shell);
  return await shell.run();
}

class Shell implements Session {
  ask?: (question: string) => boolean;
  readonly #command: Command;
  readonly #options: ShellOptions;
  readonly #createProgram: CreateShellProgram;
  readonly #isDirectory: boolean;
  /** Where a person is written to; undefined if none is there. */
  readonly #screenFd = screenFd();
  #opened: Target | undefined;
  #target: SessionTarget | undefined;
  #history: History | undefined;
  #isLeaving = false;
  #isRunning = false;
  /** Of lines read, and where the command began that is running. */
  #lineNumber = 0;
  #commandLine = 0;
  /** Why it is leaving, if that is a signal. */
  #signalled: ExitCode | undefined;
  /** What was interrupted and is done all the same. */
  #abandoned: string | undefined;

  constructor(command: Command, createProgram: CreateShellProgram) {
    this.#command = command;
    this.#options = command.optsWithGlobals<ShellOptions>();
    this.#createProgram = createProgram;
    this.#isDirectory = chosenUrl(command, this.#options) === undefined;
  }

  async run(): Promise<ExitCode> {
    using _signals = this.#listen();
    try {
      if (this.#screenFd !== undefined) await this.#greet(this.#screenFd);
      using lines = this.#openLines();
      return await this.#loop(lines);
    } finally {
      await this.#opened?.[Symbol.asyncDispose]();
    }
  }

  /** Opened once, and for everything: nobody knows what the next line is. */
  async open(access: Access): Promise<Target> {
    if (this.#target !== undefined) return this.#target;
    // Where there is none yet, only a write begins one.
    if (access === "read" && this.#isDirectory && !holdsStore(this.#options.db)) {
      return await openNamedTarget(this.#command, access);
    }
    const isNew = access === "create" || access === "load";
    this.#opened = await openNamedTarget(this.#command, isNew ? "create" : "change");
    this.#target = new SessionTarget(
      this.#opened,
      (what) => this.#abandoned = what,
    );
    return this.#target;
  }

  async #greet(fd: number): Promise<void> {
    const { db } = this.#options;
    let keys = "there is no store yet, and 'set' begins one";
    let place = `in ${db}`;
    if (!this.#isDirectory || holdsStore(db)) {
      const target = await this.open("change");
      keys = formatQuantity((await target.stats()).keys, "key");
      place = target.place;
    }
    this.#history = new History(historyPath());
    const { problem } = this.#history;
    const { version } = buildInfo();
    writeLine(fd, `Cairn ${version} ${place}: ${keys}`);
    writeLine(fd, "'help' lists the commands, Tab completes, Ctrl-D leaves");
    if (problem !== undefined) writeLine(fd, `Lines are not kept for later: ${problem}`);
  }

  #openLines(): LineSource {
    const fd = this.#screenFd;
    if (fd === undefined || process.env["TERM"] === "dumb") return new PlainLines(fd);
    const editor = new LineEditor({
      fd,
      history: this.#history?.lines ?? [],
      historyLinesMax: HISTORY_LINES_MAX,
      complete: (line) => completeLine(this.#newProgram(), line, this.#target),
    });
    this.ask = (question) => editor.ask(question, readKey);
    return editor;
  }

  /** The first failure of a script is what it exits with; a person has seen it. */
  async #loop(lines: LineSource): Promise<ExitCode> {
    let failure: ExitCode = EXIT_CODE.ok;
    while (!this.#isLeaving) {
      let exitCode: ExitCode;
      try {
        const text = await this.#readCommand(lines);
        if (text === undefined) break;
        exitCode = await this.#execute(text);
      } catch (error) {
        exitCode = this.#report(error);
      }
      if (this.#screenFd !== undefined || exitCode === EXIT_CODE.ok) continue;
      if (failure === EXIT_CODE.ok) failure = exitCode;
      if (this.#options.keepGoing !== true) break;
    }
    return this.#signalled ?? failure;
  }

  /** A command, which may take several lines; undefined at the end. */
  async #readCommand(lines: LineSource): Promise<string | undefined> {
    let text = "";
    while (true) {
      this.#lineNumber++;
      if (text === "") this.#commandLine = this.#lineNumber;
      const line = await this.#readLine(lines, text === "" ? PROMPT : CONTINUED_PROMPT);
      if (line === DROPPED) {
        text = "";
        continue;
      }
      if (line === undefined) {
        if (text === "") return undefined;
        this.#isLeaving = true;
        throw new CliError(
          EXIT_CODE.usage,
          "the last command is not complete: a quote is open, or it ends with a backslash",
        );
      }
      text += line;
      if (text.trimStart().startsWith("#")) return "";
      if (splitLine(text).open === undefined) break;
      text += "\n";
    }
    if (this.#history !== undefined && mayBeKept(text, process.env["CAIRN_TOKEN"])) {
      this.#history.add(text.trimEnd());
    }
    return text;
  }

  async #readLine(lines: LineSource, prompt: string): ReturnType<LineSource["read"]> {
    try {
      return await lines.read(prompt);
    } catch (error) {
      // Of a line that is wrong the next may be right; what cannot be read will not be.
      if (!(error instanceof CliError) || error.exitCode !== EXIT_CODE.usage) {
        this.#isLeaving = true;
      }
      throw error;
    }
  }

  async #execute(text: string): Promise<ExitCode> {
    const { words } = splitLine(text);
    // As the examples have it.
    if (words[0] === "cairn" && words.length > 1) words.shift();
    const [name] = words;
    if (name === undefined) return EXIT_CODE.ok;
    this.#isRunning = true;
    try {
      await runProgram(this.#newProgram(), words);
      return EXIT_CODE.ok;
    } catch (error) {
      throw this.#explain(error, name);
    } finally {
      this.#isRunning = false;
    }
  }

  #newProgram(): Command {
    const { db, json = false } = this.#options;
    return this.#createProgram({
      isDirectory: this.#isDirectory,
      db,
      json,
      leave: () => this.#isLeaving = true,
    });
  }

  /** Commands that there are, but not here. */
  #explain(error: unknown, name: string): unknown {
    if (!(error instanceof CommanderError) || error.code !== "commander.unknownCommand") {
      return error;
    }
    const isKnown = this.#command.parent!.commands.some((command) => command.name() === name);
    if (!isKnown) return error;
    return new CliError(
      EXIT_CODE.usage,
      `'${name}' is not for use inside a shell on this store: leave it first`,
    );
  }

  #report(error: unknown): ExitCode {
    const fd = this.#screenFd;
    if (error instanceof OutputClosedError) this.#isLeaving = true;
    if (error instanceof InterruptedError) {
      // Behind the ^C that the terminal shows.
      if (fd !== undefined) {
        writeLine(fd, "");
        if (this.#abandoned !== undefined) writeLine(fd, `${this.#abandoned} goes on by itself`);
        this.#abandoned = undefined;
      }
      if (fd === undefined || error.exitCode !== EXIT_CODE.interrupted) {
        this.#signalled = error.exitCode;
        this.#isLeaving = true;
      }
    }
    return printError(error, fd === undefined ? `line ${this.#commandLine}: ` : "");
  }

  /** Ctrl-C is for the command that runs; other signals end the shell, behind the command. */
  #listen(): Disposable {
    const stop = (signal: "SIGTERM" | "SIGHUP") => {
      if (this.#isRunning) return;
      const exit = () => process.exit(new InterruptedError(signal).exitCode);
      if (this.#opened === undefined) exit();
      this.#opened?.[Symbol.asyncDispose]().then(exit, exit);
    };
    const listeners = {
      // Between two things that a command waits for nobody else would listen.
      SIGINT: () => {},
      SIGTERM: () => stop("SIGTERM"),
      SIGHUP: () => stop("SIGHUP"),
    };
    const names = (Object.keys(listeners) as (keyof typeof listeners)[])
      .filter((name) => this.#screenFd !== undefined || name !== "SIGINT");
    for (const name of names) process.on(name, listeners[name]);
    // However it ends, the terminal must be as it was.
    const restore = () => {
      if (this.#screenFd !== undefined) setRawMode(false);
    };
    process.on("exit", restore);
    return {
      [Symbol.dispose]: () => {
        for (const name of names) process.off(name, listeners[name]);
        process.off("exit", restore);
      },
    };
  }
}

function screenFd(): number | undefined {
  return isatty(STDIN) ? [STDOUT, STDERR].find((fd) => isatty(fd)) : undefined;
}

function writeLine(fd: number, text: string): void {
  writeFully(fd, new TextEncoder().encode(`${escapeControls(text)}\n`));
}
