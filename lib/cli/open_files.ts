/** How many files and sockets this process has open, where the operating system tells. */

import { readdirSync, readFileSync, statSync } from "node:fs";

const DESCRIPTORS = "/proc/self/fd";

/** Open descriptors; undefined where that cannot be known. */
export function descriptorsOpen(): number | undefined {
  try {
    // Linux 6.2 and later have the number as the directory's size; before, it is 0.
    return statSync(DESCRIPTORS).size || readdirSync(DESCRIPTORS).length;
  } catch (error) {
    // Looking into the directory takes a descriptor, which is the answer if there is none left.
    return (error as { code?: string }).code === "EMFILE" ? Number.MAX_SAFE_INTEGER : undefined;
  }
}

/** Descriptors that may be open at once; undefined where that cannot be known. */
export function descriptorsLimit(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
