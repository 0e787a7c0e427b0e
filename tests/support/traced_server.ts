/** `cairn serve` under strace, talked to by a client, until it ends or is killed. */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { ProgramResult } from "./program_run.ts";

const GREETING_TIMEOUT_MS = 30_000;

/**
 * Runs `command`, which has to be `cairn serve` behind whatever traces it, logging as JSON. Once it
 * listens, `talk` talks to it; then it is told to end by SIGTERM. Resolves when it is gone, be it
 * that it was killed in the midst of that, or earlier. Nothing of it is left behind.
 */
export async function runServer(
  command: readonly string[],
  talk: (url: string) => Promise<void>,
): Promise<ProgramResult> {
  // In a group of its own: a tracer that is killed would leave the server alone.
  const child = spawn(command[0]!, command.slice(1), { stdio: "pipe", detached: true });
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  let isOver = false;
  try {
    const url = await Promise.race([
      until(() => /(http:\/\/\S+)\n/.exec(out())?.[1]),
      ended.then(() => undefined),
    ]);
    if (url !== undefined) {
      await talk(url);
      const pid = Number(/"pid":(\d+)/.exec(err())?.[1]);
      if (child.exitCode === null && child.signalCode === null) killIfThere(pid, "SIGTERM");
    }
    const [exitCode, signal] = await ended;
    isOver = true;
    return { exitCode, signal, stdout: out(), stderr: err() };
  } finally {
    if (!isOver) killIfThere(-child.pid!, "SIGKILL");
  }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

async function until(find: () => string | undefined): Promise<string> {
  const deadline = performance.now() + GREETING_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("the server does not say where it listens");
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
