/** What a verification tells. */

/** Something that is not as it was written. */
export interface VerifyProblem {
  /** The file concerned. */
  path: string;
  /** Where in it, in bytes. */
  offset: number;
  /** What is wrong, without the path. */
  message: string;
  /**
   * What it means: `damage`, that something acknowledged may be lost; `hint`, that a hint file
   * or the checkpoint is of no use, which costs nothing but time at the next opening; `unfinished`, that this is a copy
   * which was never completed.
   */
  kind: "damage" | "hint" | "unfinished";
}

/** What a verification found. */
export interface VerifyReport {
  /** Whether there are no problems. */
  ok: boolean;
  /** Files checked. */
  files: number;
  /** Records checked: each set and delete counts, overwritten ones included. */
  records: number;
  /** Bytes checked. */
  bytes: number;
  /** Bytes of a torn tail: a write that was cut short and never acknowledged; no problem. */
  tornBytes: number;
  /** Where the torn tail begins; absent if there is none. */
  torn?: { path: string; offset: number };
  /** What is wrong, file by file. */
  problems: VerifyProblem[];
}
