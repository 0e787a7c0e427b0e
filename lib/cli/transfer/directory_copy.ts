/**
 * A store that is copied from directory to directory: Ctrl-C gives the copy up, and how far it is
 * is seen of the files that grow.
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Clock, type ScheduledTask, systemClock } from "../../clock.ts";
import type { CopyOptions, CopyReport } from "../../mod.ts";
import { Interruption } from "../interruption.ts";

const LOOK_EVERY_MS = 100;

/** Is told how many bytes of the log are copied, and how many there are. */
export type CopyObserver = (bytes: number, bytesTotal: number) => void;

/** Copies the store in `source` into `destination` by `copy`; throws what interrupted it. */
export async function copyDirectory(
  source: string,
  destination: string,
  copy: (options: CopyOptions) => Promise<CopyReport>,
  observer: CopyObserver | undefined,
  clock: Clock = systemClock,
): Promise<CopyReport> {
  using interruption = new Interruption();
  const controller = new AbortController();
  interruption.requested.catch((reason) => controller.abort(reason));
  let task: ScheduledTask | undefined;
  if (observer !== undefined) {
    const bytesTotal = logBytesIn(source);
    const look = () => {
      observer(logBytesIn(destination), bytesTotal);
      task = clock.schedule(LOOK_EVERY_MS, look, true);
    };
    look();
  }
  try {
    return await copy({ signal: controller.signal });
  } finally {
    task?.cancel();
  }
}

/** Lengths of all segments; 0 where there is none. */
function logBytesIn(directory: string): number {
  const wal = join(directory, "wal");
  try {
    return readdirSync(wal).filter((name) => name.endsWith(".log"))
      .reduce((sum, name) => sum + (statSync(join(wal, name)).size), 0);
  } catch {
    return 0; // not yet, or just removed
  }
}
