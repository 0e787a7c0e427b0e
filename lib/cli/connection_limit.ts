/** How many connections the servers of `cairn serve` take, by how many files it may have open. */

import type { ConnectionLimit } from "../server/http/mod.ts";
import { descriptorsLimit, descriptorsOpen } from "./open_files.ts";

/** The limit, or undefined where nobody knows. `descriptorsMaxOf` is the server's. */
export function connectionLimit(
  descriptorsMaxOf: (limit: number, open: number) => number,
  onLimit: (descriptors: number, descriptorsMax: number) => void,
): ConnectionLimit | undefined {
  const limit = descriptorsLimit();
  const open = descriptorsOpen();
  if (limit === undefined || open === undefined) return undefined;
  const descriptorsMax = descriptorsMaxOf(limit, open);
  return {
    descriptorsOpen: () => descriptorsOpen() ?? 0,
    descriptorsMax,
    onLimit: (descriptors) => onLimit(descriptors, descriptorsMax),
  };
}
