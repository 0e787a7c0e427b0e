/** Writes that are on stable storage before they are acknowledged, alone and 64 at once. */

import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ENGINES } from "../engines/mod.ts";
import { makeKeys, makeValue } from "../workload.ts";
import { rate } from "./rate.ts";
import type { Figures, TaskInput } from "./task.ts";

const WRITERS = 64;
const KEYS_MAX = 100_000;
/** Bytes of a record of Cairn around key and value. */
const FRAME_BYTES = 27;
const KEY_BYTES = 16;

/** One write after the other, each durable before the next. */
export async function durableOne(input: TaskInput): Promise<Figures> {
  const { subject, directory, keys: count, millis, valueBytes } = input;
  if (subject === "bare") {
    const fd = openSync(join(directory, "bare"), "w", 0o600);
    const frame = makeValue(FRAME_BYTES + KEY_BYTES + valueBytes);
    const setPerSecond = await rate(millis, () => {
      writeSync(fd, frame);
      fdatasyncSync(fd);
    });
    closeSync(fd);
    return { setPerSecond };
  }
  const keys = makeKeys(Math.min(count, KEYS_MAX));
  const value = makeValue(valueBytes);
  const engine = await ENGINES[subject]!(directory, "durable");
  let next = 0;
  const setPerSecond = await rate(millis, () => engine.set(keys[next++ % keys.length]!, value));
  await engine.close();
  return { setPerSecond };
}

/** 64 writers, each of which waits for its own write. */
export async function durableMany(input: TaskInput): Promise<Figures> {
  const { subject, directory, keys: count, millis, valueBytes } = input;
  if (subject === "bare") {
    const fd = openSync(join(directory, "bare"), "w", 0o600);
    const group = makeValue(WRITERS * (FRAME_BYTES + KEY_BYTES + valueBytes));
    const groupsPerSecond = await rate(millis, () => {
      writeSync(fd, group);
      return new Promise<void>((resolve, reject) =>
        fdatasync(fd, (error) => error === null ? resolve() : reject(error))
      );
    });
    closeSync(fd);
    return { setPerSecond: groupsPerSecond * WRITERS };
  }
  const keys = makeKeys(Math.min(count, KEYS_MAX));
  const value = makeValue(valueBytes);
  const engine = await ENGINES[subject]!(directory, "durable");
  let next = 0;
  const rates = await Promise.all(
    Array.from(
      { length: WRITERS },
      () => rate(millis, () => engine.set(keys[next++ % keys.length]!, value)),
    ),
  );
  await engine.close();
  return { setPerSecond: rates.reduce((sum, each) => sum + each, 0) };
}
