/** Starts the process that one subject does one task in. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Runtime } from "../arguments.ts";
import { BUN, DENO, ROOT } from "../machine.ts";
import type { Figures, TaskInput } from "../tasks/task.ts";
import type { MeasureContext } from "./measure.ts";

const VALUE_BYTES = 100;

/** Program and arguments that run a script of the harness under `runtime`. */
export function runtimeCommand(runtime: Runtime): [string, ...string[]] {
  const flags = ["--unstable-kv", "--v8-flags=--expose-gc,--max-old-space-size=8192"];
  return runtime === "bun" ? [BUN] : [...serverCommand(runtime), ...flags];
}

/** Program and arguments that run a server under `runtime`, as its users run it. */
export function serverCommand(runtime: Runtime): [string, ...string[]] {
  return runtime === "bun" ? [BUN] : [DENO, "run", "--frozen", "--no-check", "-A"];
}

/** Lets `input.subject` do `task` in a process of its own, and returns the figures it tells. */
export async function runSubject(
  context: MeasureContext,
  task: string,
  input: Partial<TaskInput> & Pick<TaskInput, "subject" | "directory">,
): Promise<Figures> {
  const { keys, options } = context;
  const whole: TaskInput = { keys, millis: options.millis, valueBytes: VALUE_BYTES, ...input };
  const [program, ...args] = runtimeCommand(context.runtime);
  const child = spawn(program, [...args, "bench/subject.ts", task, JSON.stringify(whole)], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let printed = "";
  for await (const chunk of child.stdout!) printed += chunk;
  const [code, signal] = await exit;
  const line = printed.trimEnd().split("\n").at(-1) ?? "";
  // A task that plays a crash kills itself when it has told its figures.
  if ((code !== 0 && signal !== "SIGKILL") || !line.startsWith("{")) {
    throw new Error(`${input.subject} failed at ${task}: ${code ?? signal} ${printed.slice(-400)}`);
  }
  return JSON.parse(line) as Figures;
}
