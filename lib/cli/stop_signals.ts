import process from "node:process";
import { isatty } from "node:tty";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const EXIT_CODE_BY_SIGNAL: Record<StopSignal, ExitCode> = {
  SIGINT: EXIT_CODE.interrupted,
  SIGTERM: EXIT_CODE.terminated,
  SIGHUP: EXIT_CODE.hungUp,
};
const STANDARD_DESCRIPTORS = [0, 1, 2];

/**
 * Resolves with the first signal that asks to stop: SIGINT or SIGTERM. From then on a second one ends
 * the process at once, with 128 and its number as the exit code, for those who cannot wait: what was
 * acknowledged is safe even so. SIGHUP stops a process that belongs to a terminal, which is gone then;
 * to any other it says that its files have changed, and `onHangUp` is called.
 */
export function stopRequested(onHangUp: () => void): Promise<StopSignal> {
  // Known now: of a terminal that is gone nobody can tell that it was one.
  const hasTerminal = STANDARD_DESCRIPTORS.some((fd) => isatty(fd));
  return new Promise((resolve) => {
    let asked = false;
    const stop = (signal: StopSignal) => {
      if (asked) process.exit(EXIT_CODE_BY_SIGNAL[signal]);
      asked = true;
      resolve(signal);
    };
    process.on("SIGINT", () => stop("SIGINT"));
    process.on("SIGTERM", () => stop("SIGTERM"));
    process.on("SIGHUP", () => hasTerminal ? stop("SIGHUP") : onHangUp());
  });
}
