/** Holds a hint file against the segment it stands for. */

import { KvError } from "../errors.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { systemErrorCode } from "../fs/io_error.ts";
import { findUnboundHint } from "../log/hint_binding.ts";
import { HintReader } from "../log/hint_reader.ts";
import { EntryCheck } from "./entry_check.ts";
import { inspectHint } from "./inspect_hint.ts";

const ENTRIES_PER_SLICE = 4096;
const HARMLESS = " (harmless: it is not used, and written anew)";

/** What was found out about a hint file. */
export interface HintFindings {
  bytes: number;
  /** `harmless` if opening does not use the file and writes it anew. */
  problem?: { offset: number; message: string; harmless: boolean };
}

/**
 * Checks the hint file `path` of the open segment `segment`; undefined if there is none. `pause` is
 * awaited now and then. Throws `Io` if it cannot be read.
 */
export async function verifyHint(
  fs: FileSystem,
  path: string,
  segment: File,
  fileId: number,
  pause: () => Promise<void>,
): Promise<HintFindings | undefined> {
  const file = openIfPresent(fs, path);
  if (file === undefined) return undefined;
  try {
    const bytes = file.size();
    const hint = new HintReader(file);
    const { header } = hint;
    const unbound = header === undefined ? undefined : findUnboundHint(header, segment, fileId);
    if (unbound !== undefined) {
      // A hint for more than there is says that the segment was longer, and durable.
      const harmless = header!.fileId !== fileId || header!.coveredLength <= segment.size();
      return {
        bytes,
        problem: { offset: 0, message: unbound + (harmless ? HARMLESS : ""), harmless },
      };
    }
    const check = new EntryCheck(segment);
    for (let entries = 1; hint.next(); entries++) {
      if (!check.matches(hint)) {
        const offset = findEntry(file, bytes, entries);
        const message = `has an entry for offset ${hint.offset} that is not there`;
        return { bytes, problem: { offset, message, harmless: false } };
      }
      if (entries % ENTRIES_PER_SLICE === 0) await pause();
    }
    if (hint.problem === undefined) return { bytes };
    const message = hint.problem + HARMLESS;
    return { bytes, problem: { offset: findDamage(file, bytes), message, harmless: true } };
  } finally {
    file.close();
  }
}

/** A store that is open elsewhere may remove or replace a hint file at any time. */
function openIfPresent(fs: FileSystem, path: string): File | undefined {
  try {
    return fs.open(path, "read");
  } catch (error) {
    if (error instanceof KvError && systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Where the entry number `count` stands. */
function findEntry(file: File, size: number, count: number): number {
  let seen = 0;
  for (const item of inspectHint(file, size)) {
    if (item.kind === "entry" && ++seen === count) return item.offset;
  }
  return 0;
}

function findDamage(file: File, size: number): number {
  for (const item of inspectHint(file, size)) if (item.kind === "damage") return item.offset;
  return 0;
}
