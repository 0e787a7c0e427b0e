/** What the writer of a log works with, and whom it tells of what it does. */

import type { KvError } from "../errors.ts";
import type { FileSystem } from "../fs/file_system.ts";
import type { ActiveFile } from "./active_file.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSet } from "./segment_set.ts";

/** What a `LogWriter` works with. */
export interface LogWriterContext {
  fs: FileSystem;
  /** Directory of the log. */
  directory: string;
  segments: SegmentSet;
  active: ActiveFile;
  segmentBytesMax: number;
  /** Keep space ready behind the log: for those who sync often. */
  keepsSpaceAhead: boolean;
  /** Time for the headers of new segments. */
  now: () => number;
  /** Monotonic time in milliseconds; read only if `onSync` is there. */
  monotonic: () => number;
  /** Called after every fsync that succeeded. */
  onSync: ((event: { writes: number; bytes: number; durationMs: number }) => void) | undefined;
  /** Called when a write or fsync fails, once. */
  onFailure: ((error: KvError) => void) | undefined;
  /** Called after a segment was closed, with everything in it durable. */
  onSegmentClosed: (segment: Segment) => void;
}
