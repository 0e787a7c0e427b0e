/** A copy of a store, for as long as it is read: how a server's store is had as of one version. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../cli_error.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { KvStore, type ScanOptions } from "../../mod.ts";
import { onInterrupt } from "../interruption.ts";
import { systemReason } from "../system_reason.ts";
import type { FrozenStore } from "./target.ts";

/** Lets `copy` put a store into a directory of its own within `scratch`, and opens it. */
export async function freezeCopy(
  scratch: string,
  copy: (directory: string) => Promise<unknown>,
): Promise<FrozenStore> {
  let directory: string;
  try {
    directory = mkdtempSync(join(scratch, "cairn-export-"));
  } catch (error) {
    throw new CliError(
      EXIT_CODE.io,
      `cannot keep a copy of the store in ${scratch}: ${systemReason(error)}; name another ` +
        "directory with TMPDIR, or export to a file elsewhere",
      { cause: error },
    );
  }
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const forget = onInterrupt(remove);
  const clear = () => {
    forget();
    remove();
  };
  try {
    await copy(directory);
    const store = await KvStore.open(directory, { readOnly: true });
    return {
      version: store.stats().version,
      keys: store.size,
      scan: (options: ScanOptions) => store.scan(options),
      async [Symbol.asyncDispose]() {
        await store.close();
        clear();
      },
    };
  } catch (error) {
    clear();
    throw error;
  }
}
