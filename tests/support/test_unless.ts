import { test } from "node:test";

/** Such tests start processes, which may take their time on a busy machine. */
const TIMEOUT_MS = 120_000;

/**
 * A test that cannot run everywhere. With a `reason` it is skipped, and says so in its name, because
 * not every runner prints the reason itself.
 */
export function testUnless(
  reason: string | undefined,
  name: string,
  run: () => void | Promise<void>,
  timeoutMs = TIMEOUT_MS,
): void {
  if (reason === undefined) test(name, { timeout: timeoutMs }, run);
  else test(`${name} [skipped: ${reason}]`, { skip: reason }, run);
}
