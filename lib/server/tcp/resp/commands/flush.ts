/** `FLUSHALL` and `FLUSHDB`. */

import { KvError } from "../../../../errors.ts";
import type { BatchCheck } from "../../../../mod.ts";
import { isWord } from "../arguments.ts";
import { KEYS, type SweepCommand } from "../command.ts";
import { OK } from "../replies.ts";
import type { Reply } from "../reply.ts";
import type { RespClient } from "../resp_client.ts";
import { RespError, syntaxError } from "../resp_error.ts";
import type { RespStore } from "../resp_store.ts";

const BATCH_KEYS = 256;
const BATCHES_IN_FLIGHT = 8;

/**
 * Deletes every key as it was when this began. A key that is written meanwhile stays. It goes on in
 * batches: a crash, or a reader meanwhile, may find some keys gone and others not.
 */
async function deleteAll(store: RespStore): Promise<void> {
  const { version: newest } = store.stats();
  let batch: BatchCheck[] = [];
  let inFlight: Promise<void>[] = [];
  const begin = () => {
    const deleted = deleteBatch(store, batch);
    // It is waited for below; until then, nobody listens for its failure.
    deleted.catch(() => {});
    inFlight.push(deleted);
    batch = [];
  };
  for await (const { key, version } of store.scan({ values: false })) {
    if (version > newest) continue;
    batch.push({ key, version });
    if (batch.length < BATCH_KEYS) continue;
    begin();
    if (inFlight.length < BATCHES_IN_FLIGHT) continue;
    await Promise.all(inFlight);
    inFlight = [];
  }
  begin();
  await Promise.all(inFlight);
}

async function deleteBatch(store: RespStore, batch: readonly BatchCheck[]): Promise<void> {
  try {
    await store.batch(batch.map(({ key }) => ({ op: "del", key })), { checks: [...batch] });
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== "ConditionFailed") throw error;
    // Some of them have changed: only the others go.
    await store.update((_newest, stat) =>
      batch.filter(({ key, version }) => stat(key)?.version === version)
        .map(({ key }) => ({ op: "del", key }))
    );
  }
}

async function runFlush(
  name: string,
  { service }: RespClient,
  args: readonly Uint8Array[],
): Promise<Reply> {
  const [, mode] = args;
  const isKnown = mode === undefined || isWord(mode, "async") || isWord(mode, "sync");
  if (args.length > 2 || !isKnown) throw syntaxError();
  if (!service.allowFlush) {
    throw new RespError(
      `ERR '${name}' is not allowed on this server: start it with the option that allows it`,
    );
  }
  await deleteAll(service.store);
  return OK;
}

function flush(name: string, summary: string): SweepCommand {
  return {
    name,
    kind: "sweep",
    arity: -1,
    flags: ["write", "no_multi"],
    keys: KEYS.none,
    group: "server",
    since: "1.0.0",
    summary,
    run: (client, args) => runFlush(name, client, args),
  };
}

/** All commands that delete everything. */
export const FLUSH_COMMANDS: readonly SweepCommand[] = [
  flush("flushdb", "Deletes all keys."),
  flush("flushall", "Deletes all keys, as FLUSHDB does."),
];
