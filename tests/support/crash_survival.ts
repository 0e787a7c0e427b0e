/** What a power cut leaves of changes that were never synced. Decided by seed, so that it repeats. */

import type { SeededRandom } from "./seeded_random.ts";

/** A change of a file's contents that is not yet durable. */
export type ContentChange =
  | { kind: "write"; position: number; bytes: Uint8Array }
  | { kind: "truncate"; size: number };

/** A change of a directory that is not yet durable; it concerns one file under one or two names. */
export type NameChange<FileId> =
  | { kind: "create"; name: string; file: FileId }
  | { kind: "rename"; name: string; from: string; file: FileId }
  | { kind: "unlink"; name: string; file: FileId };

/** How a disk treats what it was not told to keep. */
export interface SurvivalOptions {
  /** Unsynced bytes may turn out as anything at all, as where files are extended before written. */
  garbage: boolean;
}

const SECTOR_BYTES = [512, 4096] as const;

/** Carries out a change as it was meant. */
export function applyContent(content: Uint8Array, change: ContentChange): Uint8Array {
  if (change.kind === "truncate") {
    const resized = new Uint8Array(change.size);
    resized.set(content.subarray(0, change.size));
    return resized;
  }
  return overwritten(content, change.position, change.bytes);
}

/** Carries out a change of names as it was meant. */
export function applyName<FileId>(names: Map<string, FileId>, change: NameChange<FileId>): void {
  // Each change speaks of one file: without those before it, it does nothing to another one's name.
  if (change.kind === "unlink") {
    if (names.get(change.name) === change.file) names.delete(change.name);
    return;
  }
  if (change.kind === "rename" && names.get(change.from) === change.file) names.delete(change.from);
  names.set(change.name, change.file);
}

/**
 * What is left of a file: each pending change is kept, dropped, torn at sectors, or has its room but
 * not its bytes. Some cuts hit everything alike, as a cache that was or was not written back.
 */
export function survivingContent(
  durable: Uint8Array,
  pending: readonly ContentChange[],
  random: SeededRandom,
  options: SurvivalOptions,
): Uint8Array {
  const kept = keptShare(random);
  let content = durable;
  for (const change of pending) {
    if (random.chance(kept)) content = applyContent(content, change);
    else if (change.kind === "write" && kept > 0) {
      content = damaged(content, change, random, options);
    }
  }
  return content;
}

/** Which names are left of a directory: each pending change is there or not, whatever the others. */
export function survivingNames<FileId>(
  durable: ReadonlyMap<string, FileId>,
  pending: readonly NameChange<FileId>[],
  random: SeededRandom,
): Map<string, FileId> {
  const kept = keptShare(random);
  const names = new Map(durable);
  for (const change of pending) if (random.chance(kept)) applyName(names, change);
  return names;
}

/** The probability with which each change survives one cut. */
function keptShare(random: SeededRandom): number {
  return random.pick([0, 1, 0.5, 0.5, 0.8, 0.2]);
}

function damaged(
  content: Uint8Array,
  { position, bytes }: { position: number; bytes: Uint8Array },
  random: SeededRandom,
  { garbage }: SurvivalOptions,
): Uint8Array {
  switch (random.below(garbage ? 5 : 4)) {
    case 0:
      return content;
    case 1:
      return withSectors(content, position, bytes, (sectors) => {
        const whole = random.below(sectors + 1);
        return (sector) => sector < whole;
      }, random);
    case 2:
      return withSectors(content, position, bytes, () => () => random.chance(0.5), random);
    case 3:
      // The file has its new length, but only zeros where it grew.
      return overwritten(
        content,
        content.length,
        new Uint8Array(grownBy(content, position, bytes)),
      );
    default:
      return overwritten(content, content.length, random.bytes(grownBy(content, position, bytes)));
  }
}

function grownBy(content: Uint8Array, position: number, bytes: Uint8Array): number {
  return Math.max(0, position + bytes.length - content.length);
}

/** Writes only those sectors of a write that are chosen; the length grows as far as they reach. */
function withSectors(
  content: Uint8Array,
  position: number,
  bytes: Uint8Array,
  choose: (sectors: number) => (sector: number) => boolean,
  random: SeededRandom,
): Uint8Array {
  const sectorBytes = random.pick(SECTOR_BYTES);
  const first = Math.floor(position / sectorBytes);
  const sectors = Math.ceil((position + bytes.length) / sectorBytes) - first;
  const survives = choose(sectors);
  let result = content;
  for (let sector = 0; sector < sectors; sector++) {
    if (!survives(sector)) continue;
    const start = Math.max(position, (first + sector) * sectorBytes);
    const end = Math.min(position + bytes.length, (first + sector + 1) * sectorBytes);
    result = overwritten(result, start, bytes.subarray(start - position, end - position));
  }
  return result;
}

function overwritten(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(content.length, position + bytes.length));
  result.set(content);
  result.set(bytes, position);
  return result;
}
