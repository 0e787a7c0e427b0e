/** What comes of opening a store whose files may be damaged: its contents, or a refusal. */

import assert from "node:assert/strict";
import { KvError } from "../../lib/errors.ts";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import type { OpenOptions } from "../../lib/store/types.ts";
import { tally } from "./counted.ts";
import { assertUntouched, type DiskImage, fromImage } from "./disk_image.ts";
import { openInMemory, scanAll, text } from "./test_store.ts";

const noteOpening = tally("openings of stores, nearly all of them damaged");

/** A store that opened, as it was then. */
export interface Opened {
  /** Values by key, as text. */
  state: Record<string, string>;
  /** Version of its newest record. */
  version: number;
  truncatedBytes: number;
  /** Segments that were opened through their hint file. */
  hints: number;
}

/** Opens, reads everything and closes. Returns the `KvError` if opening or reading fails. */
export async function tryToOpen(
  fs: FileSystem,
  options: OpenOptions = {},
): Promise<Opened | KvError> {
  let store: KvStore;
  noteOpening();
  try {
    store = await openInMemory(options, fs);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    return error;
  }
  try {
    return await read(store);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    return error;
  } finally {
    await store.close();
  }
}

/** As {@link tryToOpen}, of a store that must open. */
export async function mustOpen(fs: FileSystem, options: OpenOptions = {}): Promise<Opened> {
  const outcome = await tryToOpen(fs, options);
  if (outcome instanceof KvError) throw outcome;
  return outcome;
}

/** Expects a store to be refused, for writing and for reading, and left as it is. */
export async function mustRefuse(
  image: DiskImage,
  codes: readonly string[] = ["CorruptLog"],
  readOnlyCodes: readonly string[] = codes,
): Promise<void> {
  for (const readOnly of [false, true]) {
    const fs = fromImage(image);
    const outcome = await tryToOpen(fs, { readOnly });
    assert(outcome instanceof KvError, `opened with ${JSON.stringify(outcome)}`);
    const expected = readOnly ? readOnlyCodes : codes;
    assert(expected.includes(outcome.code), `${outcome.code}: ${outcome.message}`);
    assertUntouched(fs, image);
  }
}

/** Everything in an open store. */
export async function read(store: KvStore): Promise<Opened> {
  const { version, replay } = store.stats();
  const state: Record<string, string> = {};
  for (const { key, value } of await scanAll(store)) state[key] = text(value)!;
  assert.equal(Object.keys(state).length, store.size);
  return { state, version, truncatedBytes: replay.truncatedBytes, hints: replay.hints };
}

/** Problems that verification finds; an error of its own counts as one. */
export async function problemsOf(image: DiskImage): Promise<string[]> {
  const fs = fromImage(image);
  try {
    const { problems, ok } = await KvStore.verify("/store", { fileSystem: fs });
    assert.equal(ok, problems.length === 0);
    return problems.map(({ path, offset, message }) => `${path} at ${offset}: ${message}`);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    assert.equal(error.code, "Unsupported", error.message);
    return [error.message];
  } finally {
    assertUntouched(fs, image);
  }
}
