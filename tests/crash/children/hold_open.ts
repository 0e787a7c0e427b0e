/** Opens the store in the directory given, says how that went, and holds it until stdin ends. */

import process from "node:process";
import { KvError, KvStore } from "../../../lib/mod.ts";
import { say } from "./say.ts";

try {
  const store = await KvStore.open(process.argv[2] ?? "");
  say("open");
  process.stdin.on("end", () => void store.close().then(() => say("closed")));
  process.stdin.resume();
} catch (error) {
  say(error instanceof KvError ? error.code : String(error));
}
