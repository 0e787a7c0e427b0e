/**
 * Random stores, random damage. What was written is known frame by frame, and so is which bytes were
 * harmed; the rest must be found, and nothing else.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../support/fuzzing.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { Harm } from "./harm.ts";
import { writeRandomStore } from "./random_store.ts";
import { repairImage } from "./repaired_store.ts";
import { framesOf, isAlive, isRecord, type WrittenFrame } from "./written_records.ts";

const NOW = 1_800_000_000_000;

test("repair: random stores with random damage", () => fuzz(200, runSeed));

async function runSeed(random: SeededRandom): Promise<void> {
  // Where a value is a copy of the log, it takes what is left of the log to tell the two apart.
  const holdsCopies = random.chance(0.4);
  const image = await writeRandomStore(random, NOW, holdsCopies);
  const frames = framesOf(image);
  const harm = new Harm(image, random);
  harm.inflict(random.between(0, holdsCopies ? 2 : 8));
  const { report, entries, versionNext } = await repairImage(harm.image, NOW);

  const unharmed = new Set(frames.filter((frame) => harm.isUnharmed(frame)));
  const readable = frames.filter((frame) => unharmed.has(frame) && isRecord(frame));
  // A batch whose announcement is gone looks like single records: they may be found.
  const certain = readable.filter(({ batch }) =>
    batch === undefined || harm.areTogether(batch) && batch.every((frame) => unharmed.has(frame))
  );
  const possible = frames.filter((frame) => {
    if (!isRecord(frame)) return false;
    if (!unharmed.has(frame)) return harm.hasCopy(frame);
    return frame.batch === undefined || !unharmed.has(frame.batch[0]!);
  });
  const keys = new Set([...entries.keys(), ...frames.filter(isRecord).map(({ key }) => key)]);
  for (const key of keys) {
    const found = entries.get(key);
    const outcomes = outcomesOf(key, certain, possible);
    assert(
      outcomes.some((record) => matches(record, found)),
      `${key} is ${JSON.stringify(found)?.slice(0, 200)}, and may be ` +
        JSON.stringify(outcomes.map((record) => record && { ...record, batch: 0 })).slice(0, 500) +
        ` ${JSON.stringify(harm.log)} ${JSON.stringify(report).slice(0, 3000)}`,
    );
  }
  const lsnLast = frames.filter(isRecord).reduce((max, { lsn }) => Math.max(max, lsn), 0);
  const wasCut = harm.log.some((entry) => entry.startsWith("cut"));
  if (!wasCut) assert(versionNext > lsnLast, `version ${versionNext} after ${lsnLast}`);
  if (harm.log.length === 0) assert.equal(report.complete, true, JSON.stringify(report));
  if (report.complete && !wasCut && !harm.isOnlyTail(frames.filter(isRecord))) {
    assert(frames.every((each) => !isRecord(each) || unharmed.has(each)), JSON.stringify(report));
  }
}

/** The records that may decide about a key: the newest certain one, or any possible newer one. */
function outcomesOf(
  key: string,
  certain: readonly WrittenFrame[],
  possible: readonly WrittenFrame[],
): (WrittenFrame | undefined)[] {
  const newest = certain.filter((record) => record.key === key)
    .reduce<WrittenFrame | undefined>(
      (left, right) => left === undefined || right.lsn > left.lsn ? right : left,
      undefined,
    );
  const newer = possible.filter((record) => record.key === key && record.lsn > (newest?.lsn ?? 0));
  return [newest, ...newer];
}

function matches(
  record: WrittenFrame | undefined,
  found: { value: string; version: number; expiresAt: number } | undefined,
): boolean {
  if (record === undefined || !isAlive(record, NOW)) return found === undefined;
  return found !== undefined && found.value === record.value && found.version === record.lsn &&
    found.expiresAt === record.expiresAt;
}
