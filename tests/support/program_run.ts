/** Runs any program to its end, without a word on what it should say. */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";

/** What a program left behind. */
export interface ProgramResult {
  exitCode: number | null;
  /** The signal that it died of, if it did. */
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs a program, its name first, until it ends. */
export type Runner = (command: readonly string[]) => Promise<ProgramResult>;

/** Runs `command`, its program first, with `stdin` as its standard input. */
export async function runProgram(
  command: readonly string[],
  stdin: string | Uint8Array = "",
): Promise<ProgramResult> {
  const child = spawn(command[0]!, command.slice(1), { stdio: "pipe" });
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => err.push(chunk));
  child.stdin.on("error", () => {}); // it may be killed before it has read everything
  child.stdin.end(stdin);
  const [exitCode, signal] = await once(child, "close") as [number | null, string | null];
  const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString("utf8");
  return { exitCode, signal, stdout: text(out), stderr: text(err) };
}
