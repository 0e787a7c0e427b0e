/** Locks the file named by its argument, says `held` or `busy`, and keeps the lock until stdin ends. */

import process from "node:process";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";

const lock = nodeFileSystem.lock(process.argv[2] ?? "");
process.stdout.write(lock === undefined ? "busy\n" : "held\n");
if (lock !== undefined) {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}
