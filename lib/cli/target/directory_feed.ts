/**
 * Following a directory that another process writes to. There is nobody who would tell of news, so
 * the lengths of its files are looked at now and then, and the log read on from where it was when
 * they have changed.
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../clock.ts";
import type { KvStore } from "../../mod.ts";
import { openForReading } from "../open_store.ts";
import type { FollowedChange, FollowOptions } from "./target.ts";

const LOOK_EVERY_MS = 500;

/** The changes since, and those to come; `store` is the directory as it was found first. */
export async function* followDirectory(
  path: string,
  store: KvStore,
  { since, prefix, values }: FollowOptions,
): AsyncGenerator<FollowedChange, void> {
  let version = since ?? store.stats().version;
  let opened = store;
  // Noted before what is in the files is read: what comes in between is seen twice rather than never.
  let seen = "";
  while (true) {
    const feed = opened.changes({
      since: version,
      values,
      live: false,
      ...(prefix !== undefined && { prefix }),
    });
    for await (const change of feed) yield change;
    version = feed.version;
    if (opened !== store) await opened.close();
    seen = await changeOf(path, seen);
    opened = await openForReading(path);
  }
}

/** Resolves to what the files look like, once that is not what was seen. */
async function changeOf(path: string, seen: string): Promise<string> {
  while (true) {
    const found = appearanceOf(join(path, "wal"));
    if (found !== seen) return found;
    await new Promise<void>((resolve) => systemClock.schedule(LOOK_EVERY_MS, resolve));
  }
}

/** Names and lengths of the segments. */
function appearanceOf(directory: string): string {
  return readdirSync(directory).filter((name) => name.endsWith(".log")).sort()
    .map((name) =>
      `${name} ${statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? "-"}`
    ).join("\n");
}
