/** What of all there is was asked for. */

import { type BenchOptions, UsageError } from "./arguments.ts";
import { PARTS } from "./measures/mod.ts";
import { type Row, ROWS } from "./rows.ts";

type Wishes = Pick<BenchOptions, "only" | "parts">;

/** Rows whose names begin as was asked for, or whose measure was named; none beside parts. */
export function chosenRows({ only, parts }: Wishes): Row[] {
  for (const each of only) {
    if (!ROWS.some((row) => isMeant(row, each))) {
      const names = ROWS.map(({ name }) => name).join(", ");
      throw new UsageError(`--only ${each}: the rows are ${names}`);
    }
  }
  if (only.length === 0) return parts.length === 0 ? [...ROWS] : [];
  return ROWS.filter((row) => only.some((each) => isMeant(row, each)));
}

function isMeant({ name, measure }: Row, wish: string): boolean {
  return name.startsWith(wish) || measure === wish;
}

/** Names of the measures that rows and parts need. */
export function chosenMeasures(wishes: Wishes): Set<string> {
  const measures = chosenRows(wishes).map(({ measure }) => measure);
  const parts = wishes.parts.flatMap((part) => {
    if (part === "all") return Object.values(PARTS);
    const measure = PARTS[part];
    if (measure !== undefined) return [measure];
    throw new UsageError(`--part ${part}: the parts are ${Object.keys(PARTS).join(", ")}, all`);
  });
  return new Set([...measures, ...parts]);
}
