import process from "node:process";
import { runCli } from "./lib/cli/mod.ts";

process.exit(await runCli(process.argv.slice(2)));
