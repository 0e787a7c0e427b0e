/** Many writes to a server at once, a batch at a time. */

import { systemClock } from "../../clock.ts";
import { KvError } from "../../errors.ts";
import type { WriteResult } from "../../mod.ts";
import type { HttpClient } from "./http_client.ts";
import { sendableOf } from "./server_json.ts";
import type { LoadEntry, Refusal, Target } from "./target.ts";

/** A batch ends before its body becomes longer than this. The server takes 16 MiB, and 10,000 ops. */
const BODY_LENGTH_MAX = 4 << 20;
const OPS_MAX = 5000;

/** Writes entries, no two of the same key; returns those that the server does not take. */
export async function loadIntoServer(
  client: HttpClient,
  target: Target,
  entries: readonly LoadEntry[],
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  let batch: LoadEntry[] = [];
  let written: string[] = [];
  let length = 0;
  const send = async () => {
    if (batch.length === 0) return;
    refusals.push(...await sendBatch(client, target, batch, `{"ops":[${written.join(",")}]}`));
    batch = [];
    written = [];
    length = 0;
  };
  for (const entry of entries) {
    const json = JSON.stringify(opOf(entry));
    // It may be longer in bytes, but not by more than the server has room for.
    if (json.length > BODY_LENGTH_MAX) {
      refusals.push(...await sendOne(target, entry));
      continue;
    }
    if (length + json.length > BODY_LENGTH_MAX || batch.length === OPS_MAX) await send();
    batch.push(entry);
    written.push(json);
    length += json.length;
  }
  await send();
  return refusals;
}

function opOf({ key, value, expiresAt }: LoadEntry) {
  const expiry = expiresAt === undefined ? {} : { expiresAt };
  return { op: "set", key, ...sendableOf(value), ...expiry };
}

/** For a value that no batch has room for: one by one they have a time to live. */
function ttlOf(expiresAt: number): number {
  return Math.max(1, expiresAt - systemClock.now());
}

async function sendBatch(
  client: HttpClient,
  target: Target,
  entries: readonly LoadEntry[],
  body: string,
): Promise<Refusal[]> {
  const headers = { "content-type": "application/json" };
  try {
    await client.json<WriteResult>(
      { method: "POST", path: "/v1/batch", headers, body },
      "version",
    );
    return [];
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // One of them is at fault, and the others are to be written nevertheless.
  const refusals: Refusal[] = [];
  for (const entry of entries) refusals.push(...await sendOne(target, entry));
  return refusals;
}

async function sendOne(target: Target, entry: LoadEntry): Promise<Refusal[]> {
  const { key, value, expiresAt } = entry;
  try {
    await target.set(key, value, expiresAt === undefined ? {} : { ttl: ttlOf(expiresAt) });
    return [];
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return [{ entry, reason: error.message }];
  }
}

function isRefusal(error: unknown): error is KvError {
  return error instanceof KvError &&
    ["InvalidKey", "ValueTooLarge", "InvalidArgument"].includes(error.code);
}
