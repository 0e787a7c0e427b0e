/** Who holds a store's lock, where the operating system tells. */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** `process 1234 (cairn)`, or undefined where that cannot be known. */
export function lockHolder(directory: string): string | undefined {
  try {
    const { ino } = statSync(join(directory, "LOCK"), { bigint: true });
    // `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const match = / (?:FLOCK|POSIX|OFDLCK) .* (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
      if (match?.[1] === undefined || match[2] !== String(ino)) continue;
      const name = readFileSync(`/proc/${match[1]}/comm`, "utf8").trim();
      return `process ${match[1]} (${name})`;
    }
  } catch {
    // No /proc here, or the process is another user's: the message does without.
  }
  return undefined;
}
