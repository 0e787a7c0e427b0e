/** A client that makes the steps of a plan over HTTP, and keeps account of what was answered. */

import assert from "node:assert/strict";
import type { Step } from "./planned_writes.ts";

/** How the steps are made. */
export interface PlanClientOptions {
  /** Whether an answer is a promise, or only a flush that comes after it. */
  durability: "immediate" | "batch";
  /** Compactions that are asked for on the way: after the steps so many, from 1. */
  compactAfter?: readonly number[];
}

const FLUSH_EVERY = 4;

/** One client, for one life of a server. */
export class PlanClient {
  /** Steps that must last. */
  acknowledged = 0;
  readonly #steps: readonly Step[];
  readonly #options: PlanClientOptions;

  constructor(steps: readonly Step[], options: PlanClientOptions) {
    this.#steps = steps;
    this.#options = options;
  }

  /** Makes all steps, one after the other, until there are no more or the server is gone. */
  async talk(url: string): Promise<void> {
    const { durability, compactAfter = [] } = this.#options;
    for (const [index, step] of this.#steps.entries()) {
      const count = index + 1;
      if (!await takeStep(url, step)) return;
      if (durability === "immediate") this.acknowledged = count;
      else if (count % FLUSH_EVERY === 0) {
        if (!await ask(`${url}/v1/flush`, "POST")) return;
        this.acknowledged = count;
      }
      if (compactAfter.includes(count) && !await ask(`${url}/v1/compact`, "POST")) return;
    }
  }
}

async function takeStep(url: string, step: Step): Promise<boolean> {
  const [[key, value]] = step as [Step[number]];
  if (step.length === 1 && value !== undefined) {
    return await ask(`${url}/v1/kv/${encodeURIComponent(key)}`, "PUT", value);
  }
  const ops = step.map(([key, value]) =>
    value === undefined ? { op: "del", key } : { op: "set", key, value }
  );
  return await ask(`${url}/v1/batch`, "POST", JSON.stringify({ ops }));
}

/** Whether there was an answer. It must be a good one. */
async function ask(url: string, method: string, body?: string): Promise<boolean> {
  let response: Response;
  let text: string;
  try {
    const headers = { "content-type": "application/json" };
    response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
    text = await response.text();
  } catch {
    return false; // killed
  }
  assert(response.ok, `${method} ${url}: ${response.status} ${text}`);
  return true;
}
