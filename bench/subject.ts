/** One subject at one task, in this process: `subject.ts TASK INPUT`, both of which main.ts gives. */

import process from "node:process";
import type { TaskInput } from "./tasks/task.ts";
import { TASKS } from "./tasks/mod.ts";

const [task = "", input = "{}"] = process.argv.slice(2);
const run = TASKS[task];
if (run === undefined) throw new Error(`There is no task ${task}`);
console.log(JSON.stringify(await run(JSON.parse(input) as TaskInput)));
process.exit(0);
