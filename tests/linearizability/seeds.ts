/** How many runs a test makes, with which seeds, and what to do to see a failed one again. */

import process from "node:process";

const RUNS = Number(process.env["CAIRN_LINEARIZABILITY_RUNS"] ?? 1);
const SEED = process.env["CAIRN_LINEARIZABILITY_SEED"];

/** A test may take this long, however many runs are asked for. */
export const TIMEOUT_MS = 24 * 3_600_000;

/** Seeds of a test that makes `count` runs by default; CAIRN_LINEARIZABILITY_RUNS multiplies them. */
function seedsFor(count: number): number[] {
  if (SEED !== undefined) return [Number(SEED)];
  return Array.from({ length: Math.max(1, Math.round(count * RUNS)) }, (_, index) => index + 1);
}

/** Calls `run` with each seed, one after the other; returns how many there were. */
export function forEachSeed(count: number, run: (seed: number) => void): number {
  const seeds = seedsFor(count);
  for (const seed of seeds) {
    try {
      run(seed);
    } catch (error) {
      throw failed(seed, error, "everything about it is repeated");
    }
  }
  return seeds.length;
}

/** As {@link forEachSeed}, for a `run` that takes time; `repeats` says what a repetition shares. */
export async function forEachSeedAsync(
  count: number,
  repeats: string,
  run: (seed: number) => Promise<void>,
): Promise<number> {
  const seeds = seedsFor(count);
  for (const seed of seeds) {
    try {
      await run(seed);
    } catch (error) {
      throw failed(seed, error, repeats);
    }
  }
  return seeds.length;
}

function failed(seed: number, error: unknown, repeats: string): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `seed ${seed}; again with CAIRN_LINEARIZABILITY_SEED=${seed} (${repeats})\n${reason}`,
    { cause: error },
  );
}
