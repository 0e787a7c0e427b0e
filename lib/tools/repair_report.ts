/** What a repair tells about what it found, kept and lost. */

/** Bytes of the source that could not be made use of. */
export interface LostRange {
  /** The file concerned. */
  path: string;
  /** Where it begins in the file, in bytes. */
  offset: number;
  /** How many bytes; 0 if they are missing from the file. */
  length: number;
  /** What is wrong with them. */
  reason: string;
  /** How many records stood there; absent if that cannot be known. 0 means that nothing is lost. */
  recordsLost?: number;
}

/** A batch of which not every record could be read. */
export interface BrokenBatchReport {
  /** The file concerned. */
  path: string;
  /** Where the batch begins in the file, in bytes. */
  offset: number;
  /** Records it had when it was written. */
  records: number;
  /** Those that could be read. */
  recordsReadable: number;
  /** Whether these were kept, as asked for, or left out. */
  kept: boolean;
}

/** A file of the source that was not used. */
export interface SkippedFile {
  /** The file. */
  path: string;
  /** Why. */
  reason: string;
}

/** The outcome of a repair. */
export interface RepairReport {
  /** Whether everything that was ever acknowledged is in the new store, as far as can be told. */
  complete: boolean;
  /** The directory that was read. */
  source: string;
  /** The directory of the new store. */
  destination: string;
  /** Identity of the store, which the new one keeps. */
  nodeId: string;
  /** Segments that were read. */
  segments: number;
  /** Bytes of those. */
  bytes: number;
  /** Sound records in them, deletes and overwritten ones included. */
  recordsReadable: number;
  /** Records in the new store: the newest of each key, deletes included. */
  recordsWritten: number;
  /** Keys that exist in the new store. */
  keys: number;
  /** The newest version in the new store. */
  version: number;
  /** Bytes of a write that was cut short and never acknowledged; nothing is lost with them. */
  tornBytes: number;
  /** What is lost, file by file. */
  lost: LostRange[];
  /** Batches that are not whole. */
  batches: BrokenBatchReport[];
  /** Files that were not used. */
  skipped: SkippedFile[];
  /** What else an operator should know. */
  warnings: string[];
}

/** Options of a repair. */
export interface RepairOptions {
  /** Keep the readable records of a batch that is not whole. A batch is all or nothing otherwise. */
  keepPartialBatches?: boolean;
}
