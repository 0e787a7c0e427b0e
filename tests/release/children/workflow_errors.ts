/** Prints what GitHub's own parser finds wrong with workflows, as JSON: the arguments are paths. */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import {
  convertWorkflowTemplate,
  NoOperationTraceWriter,
  parseWorkflow,
} from "@actions/workflow-parser";

const found: string[] = [];
for (const path of process.argv.slice(2)) {
  const file = { name: basename(path), content: readFileSync(path, "utf8") };
  const { context, value } = parseWorkflow(file, new NoOperationTraceWriter());
  found.push(...context.errors.getErrors().map(({ message }) => message));
  if (value === undefined) continue;
  const { errors = [] } = await convertWorkflowTemplate(context, value);
  found.push(...errors.map(({ Message }) => Message));
}
console.log(JSON.stringify([...new Set(found)]));
