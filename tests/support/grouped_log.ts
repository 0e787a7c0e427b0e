/** A small log of a few groups, each covered by the mark of the next, as a kill leaves it. */

import { OP_BATCH, OP_SYNC } from "../../lib/format/record.ts";
import { bytesOf, type DiskImage } from "./disk_image.ts";
import { framesOf } from "./frames.ts";
import { FIRST_LOG, leftByKill } from "./killed_store.ts";

/** What is known of the log. */
export interface GroupedLog {
  image: DiskImage;
  /** What the store held before the first group, and after each of them. */
  states: Record<string, string>[];
  /** Offsets at which the records of the groups end. */
  ends: number[];
}

/** A set, a batch, a set that expires and a delete: every kind of frame is in it. */
export async function writeGroups(): Promise<GroupedLog> {
  const states: Record<string, string>[] = [{}];
  const image = await leftByKill(async (store) => {
    await store.set("a", "1");
    states.push({ a: "1" });
    await store.batch([{ op: "set", key: "b", value: "2" }, { op: "del", key: "a" }]);
    states.push({ b: "2" });
    await store.set("c", "3", { ttl: 3_600_000 });
    states.push({ b: "2", c: "3" });
    await store.delete("b");
    states.push({ c: "3" });
  });
  const frames = framesOf(bytesOf(image, FIRST_LOG));
  const ends = frames.filter(({ op }, index) => {
    const next = frames[index + 1];
    return op <= 2 && (next === undefined || next.op === OP_SYNC || next.op === OP_BATCH);
  }).map(({ end }) => end);
  return { image, states, ends };
}
