import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { runCli, runThread } from "./lib/cli/mod.ts";

if (isMainThread) process.exit(await runCli(process.argv.slice(2)));
else await runThread();
