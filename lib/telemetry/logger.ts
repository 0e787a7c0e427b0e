/** Where the engine's log entries go: LogTape's category `cairn`, unless the caller passes a logger. */

import { getLogger } from "@logtape/logtape";

/** Receives log entries: a message and the figures that belong to it. */
export interface Logger {
  /** Single commands, very many. In the message, `{name}` stands for the property `name`. */
  debug(message: string, properties: Record<string, unknown>): void;
  /** What happens now and then, such as opening and compaction. */
  info(message: string, properties: Record<string, unknown>): void;
  /** What somebody should look at, although everything goes on. */
  warn(message: string, properties: Record<string, unknown>): void;
  /** What has failed. */
  error(message: string, properties: Record<string, unknown>): void;
  /** Whether entries of this level go anywhere; without it, all are assumed to. */
  isEnabledFor?(level: "debug" | "info" | "warning" | "error"): boolean;
}

/** LogTape's logger of the category `cairn`: silent until the application configures LogTape. */
export const defaultLogger: Logger = getLogger(["cairn"]);

/** Asking a logger costs more than a write to memory does, so it is asked this rarely. */
const COMMANDS_BETWEEN_QUESTIONS = 1024;

/** Whether a logger wants debug entries, for those who would have very many. */
export class DebugSwitch {
  #logger: Logger;
  #enabled = false;
  #untilQuestion = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether debug entries go anywhere, as of some commands ago. */
  get enabled(): boolean {
    if (this.#untilQuestion-- <= 0) {
      this.#untilQuestion = COMMANDS_BETWEEN_QUESTIONS;
      this.#enabled = this.#logger.isEnabledFor?.("debug") ?? true;
    }
    return this.#enabled;
  }
}

/** Debug entries for single commands, which cost nothing while nobody wants them. */
export class CommandLog extends DebugSwitch {
  #logger: Logger;

  constructor(logger: Logger) {
    super(logger);
    this.#logger = logger;
  }

  /** Logs one command: which, on what, and where in the log. Keys and values are not logged. */
  note(command: string, lsn: number, fileId: number, offset: number, frameLength: number): void {
    this.#logger.debug("{command} at {offset} of segment {fileId}", {
      command,
      lsn,
      fileId,
      offset,
      frameLength,
    });
  }
}
