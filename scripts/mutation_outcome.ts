/** What came of a mutant. */

import type { Mutant } from "../tests/mutation/mutant.ts";

/** The verdict of the tests. */
export type Outcome =
  /** A test failed. */
  | { kind: "caught"; by: string; seconds: number }
  /** All tests passed. */
  | { kind: "survived"; seconds: number }
  /** The text to be replaced is not there exactly once. */
  | { kind: "notApplicable"; file: string };

/** A mutant's name with that of its group. */
export function fullNameOf(group: string, { name }: Mutant): string {
  return `${group}: ${name}`;
}

/** Whether a mutant was caught, or is one that cannot be, and was not. */
export function isAsDocumented({ equivalent }: Mutant, { kind }: Outcome): boolean {
  return kind === (equivalent === undefined ? "caught" : "survived");
}

/** An outcome in one line. */
export function showOutcome({ equivalent }: Mutant, outcome: Outcome): string {
  switch (outcome.kind) {
    case "notApplicable":
      return `NOT APPLICABLE: the text is not found exactly once in ${outcome.file}`;
    case "caught": {
      const claim = equivalent === undefined ? "" : ", although it is listed as equivalent";
      return `caught by ${outcome.by} after ${outcome.seconds.toFixed(1)} s${claim}`;
    }
    default:
      return equivalent === undefined
        ? `SURVIVED: no test failed in ${outcome.seconds.toFixed(1)} s`
        : `not caught, as listed: ${equivalent.because}`;
  }
}
