/** Where the engine's log entries go: LogTape's category `cairn`, unless the caller passes a logger. */

import { getLogger } from "@logtape/logtape";

/** Receives log entries: a message and the figures that belong to it. */
export interface Logger {
  debug(message: string, properties: Record<string, unknown>): void;
  info(message: string, properties: Record<string, unknown>): void;
  warn(message: string, properties: Record<string, unknown>): void;
  error(message: string, properties: Record<string, unknown>): void;
}

/** LogTape's logger of the category `cairn`: silent until the application configures LogTape. */
export const defaultLogger: Logger = getLogger(["cairn"]);
