import process from "node:process";
import { EXIT_CODE } from "./exit_code.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Resolves with the first signal that asks to stop. From then on a second one ends the process at
 * once, for those who cannot wait: what was acknowledged is safe even so.
 */
export function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of STOP_SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(EXIT_CODE.interrupted);
        asked = true;
        resolve(signal);
      });
    }
  });
}
