/** One import: record after record into a target, as far as it comes. */

import { systemClock } from "../../clock.ts";
import { KvError } from "../../errors.ts";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE, type ExitCode, exitCodeOf } from "../exit_code.ts";
import { InterruptedError } from "../interruption.ts";
import type { LoadEntry, Target } from "../target/target.ts";
import { formatQuantity } from "../text_format.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ImportRecord } from "./records.ts";

const BATCH_RECORDS_MAX = 5000;
const BATCH_BYTES_MAX = 4 << 20;
/** Everything is made durable after so many bytes, or so long. */
const FLUSH_BYTES = 32 << 20;
const FLUSH_MS = 2000;

/** What an import is made of. */
export interface ImportContext {
  /** Opened when there is something to write, and not by a mistake in the command. */
  open: () => Promise<Target>;
  /** Records that are there already. */
  skip: number;
  checkpointOf: (target: Target) => Checkpoint | undefined;
  /** Called for a record that cannot be imported; throws if that is to be the end. */
  onBad: (record: ImportRecord) => void;
  onProgress: (records: number) => void;
  /** Where the source is called in messages. */
  source: string;
}

/** What came of it. */
export interface ImportReport {
  /** Values written. */
  imported: number;
  /** Records left out because they were there already. */
  skipped: number;
  /** Records left out because something is wrong with them. */
  bad: number;
  /** Records left out because they have expired. */
  expired: number;
}

/** Imports records. An error says how far it came. */
export class ImportRun {
  readonly report: ImportReport = { imported: 0, skipped: 0, bad: 0, expired: 0 };
  readonly #context: ImportContext;
  #target: Target | undefined;
  #checkpoint: Checkpoint | undefined;
  #skip: number;
  /** Records come to, and those of them that are dealt with and durable. */
  #seen = 0;
  #durable = 0;
  /** The newest entry of each key: a batch has a key only once. */
  #batch = new Map<string, { entry: LoadEntry; line: number }>();
  #batchRecords = 0;
  #batchBytes = 0;
  #unflushedBytes = 0;
  #flushedAt = systemClock.monotonic();

  /** Does nothing yet. */
  constructor(context: ImportContext) {
    this.#context = context;
    this.#skip = context.skip;
  }

  /** Imports everything. */
  async run(batches: AsyncIterable<readonly ImportRecord[]>): Promise<ImportReport> {
    try {
      try {
        for await (const records of batches) {
          await this.#begin();
          for (const record of records) {
            this.#take(record);
            if (this.#isFull()) await this.#write();
          }
        }
        await this.#begin();
      } catch (error) {
        // What came before is as good as if the file ended there.
        if (error instanceof InterruptedError || error instanceof BadRecordError) {
          await this.#flush();
        }
        throw error;
      }
      await this.#flush();
      this.#checkpoint?.remove();
      return this.report;
    } catch (error) {
      throw this.#explain(error);
    } finally {
      await this.#close();
    }
  }

  /** After a flush nothing depends on it; after an error that one matters more. */
  async #close(): Promise<void> {
    try {
      await this.#target?.[Symbol.asyncDispose]();
    } catch {
      // See above.
    }
  }

  async #begin(): Promise<void> {
    if (this.#target !== undefined) return;
    this.#target = await this.#context.open();
    this.#checkpoint = this.#context.checkpointOf(this.#target);
    this.#skip = Math.max(this.#skip, this.#checkpoint?.load() ?? 0);
  }

  #take(record: ImportRecord): void {
    const { entry, line } = record;
    if (this.#seen < this.#skip) {
      this.#seen++;
      this.report.skipped++;
      return;
    }
    if (entry === undefined) {
      this.#refuse(record);
    } else if (entry.expiresAt !== undefined && entry.expiresAt <= systemClock.now()) {
      this.report.expired++;
    } else {
      // Taken out first, so that it gets its new place in the order.
      this.#batch.delete(entry.key);
      this.#batch.set(entry.key, { entry, line });
      this.#batchRecords++;
      this.#batchBytes += entry.key.length + entry.value.length;
    }
    this.#seen++;
  }

  #refuse(record: ImportRecord): void {
    this.#context.onBad(record);
    this.report.bad++;
  }

  #isFull(): boolean {
    return this.#batchRecords >= BATCH_RECORDS_MAX || this.#batchBytes >= BATCH_BYTES_MAX;
  }

  async #write(): Promise<void> {
    const lines = new Map([...this.#batch.values()].map(({ entry, line }) => [entry, line]));
    const refusals = await this.#target!.load([...lines.keys()]);
    this.report.imported += this.#batchRecords - refusals.length;
    this.#unflushedBytes += this.#batchBytes;
    this.#batch.clear();
    this.#batchRecords = 0;
    this.#batchBytes = 0;
    for (const { entry, reason } of refusals) {
      this.#refuse({ line: lines.get(entry)!, problem: reason });
    }
    this.#context.onProgress(this.#seen);
    const age = systemClock.monotonic() - this.#flushedAt;
    if (this.#unflushedBytes >= FLUSH_BYTES || age >= FLUSH_MS) await this.#flush();
    // Signals and timers have their turn.
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }

  async #flush(): Promise<void> {
    if (this.#target === undefined) return;
    this.#unflushedBytes = 0;
    this.#flushedAt = systemClock.monotonic();
    if (this.#batch.size > 0) await this.#write();
    if (this.#seen <= this.#skip) return;
    await this.#target.flush();
    this.#durable = this.#seen;
    this.#checkpoint?.save(this.#durable);
  }

  /** The error with what is done and how to go on; in a file of many records that matters most. */
  #explain(error: unknown): unknown {
    const done = Math.max(this.#durable, Math.min(this.#skip, this.#seen));
    const { message, exitCode } = messageOf(error) ?? {};
    if (message === undefined || exitCode === undefined) return error;
    if (done === 0) return new CliError(exitCode, message, { cause: error });
    const again = this.#checkpoint !== undefined
      ? "run the same command again to go on"
      : `go on with --skip ${done}`;
    return new CliError(
      exitCode,
      `${message}; the first ${done === 1 ? "record" : formatQuantity(done, "record")} of ` +
        `${this.#context.source} ${done === 1 ? "is" : "are"} imported, ${again}`,
      { cause: error },
    );
  }
}

/** Thrown for the first record that cannot be imported, if that is to be the end. */
export class BadRecordError extends CliError {}

function messageOf(error: unknown): { message: string; exitCode: ExitCode } | undefined {
  if (error instanceof InterruptedError) {
    return { message: "interrupted", exitCode: error.exitCode };
  }
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof KvError) {
    return { message: error.message, exitCode: exitCodeOf(error.code) };
  }
  return undefined;
}

/** The error for a record. */
export function badRecord({ line, problem }: ImportRecord, source: string): BadRecordError {
  return new BadRecordError(
    EXIT_CODE.usage,
    `line ${line} of ${source} cannot be imported: ${problem}; mend it, or leave such lines out ` +
      "with --on-error skip",
  );
}
