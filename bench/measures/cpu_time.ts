/** What processes have taken of the processor, as Linux tells it. */

import { readFileSync } from "node:fs";

/** Ticks of the system's clock in /proc: a hundredth of a second, whatever the kernel uses itself. */
const TICK_MICROS = 10_000;
/** Where the times of a process, and those of its children that have ended, are behind its name. */
const OWN = 11;
const CHILDREN = 13;

/** Microseconds of all threads of a process; NaN where the system does not tell. */
export function cpuMicros(pid: number | "self"): number {
  return micros(pid, OWN);
}

/**
 * Microseconds that all processes together were given, and the kernel's threads; NaN where the system
 * does not tell. What interrupts take is not in it, as it is not in those of a process.
 */
export function machineCpuMicros(): number {
  try {
    const [, user, nice, system] = readFileSync("/proc/stat", "latin1").split(/\s+/);
    return (Number(user) + Number(nice) + Number(system)) * TICK_MICROS;
  } catch {
    return NaN;
  }
}

/** Microseconds of this process's children that have ended; NaN where the system does not tell. */
export function childrenCpuMicros(): number {
  return micros("self", CHILDREN);
}

function micros(pid: number | "self", at: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return NaN;
  }
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[at]) + Number(fields[at + 1])) * TICK_MICROS;
}
