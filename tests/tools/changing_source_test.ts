/** A damaged store that changes, or fails, between the first look at a record and the copying of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OP_SET } from "../../lib/format/record.ts";
import { writeFully } from "../../lib/fs/whole_file.ts";
import { KvStore } from "../../lib/store/store.ts";
import { fromImage } from "../support/disk_image.ts";
import { makeFrame } from "../support/frames.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { PATH, scanKeys } from "../support/test_store.ts";
import { recordOf, tenKeys } from "./prepared_stores.ts";
import { REPAIRED } from "./repaired_store.ts";

const CHANGES: Record<string, (lsn: number) => Uint8Array> = {
  "another byte of the value": () => new Uint8Array([0x55]),
  "another sound record": (lsn) =>
    makeFrame(OP_SET, lsn, "c", new TextEncoder().encode("C".repeat(50))),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`repair: a record that is not the same at the second reading is lost: ${what}`, async () => {
    const image = await tenKeys();
    const record = recordOf(image, "c");
    const base = fromImage(image);
    const fs = new InterceptingFileSystem(base);
    const bytes = change(record.lsn);
    const at = bytes.length === 1 ? record.offset + 40 : record.offset;
    fs.beforeChange = (call, path) => {
      // All was looked at when the destination is made.
      if (call !== "makeDirectory" || !path.startsWith(REPAIRED)) return;
      const file = base.open(`${PATH}/wal/${record.name}`, "write");
      writeFully(file, bytes, 0, bytes.length, at);
      file.close();
    };
    const report = await KvStore.repair(PATH, REPAIRED, { fileSystem: fs });
    assert.equal(report.complete, false);
    assert.deepEqual(report.lost.map(({ reason }) => reason), ["could not be read a second time"]);
    await using store = await KvStore.open(REPAIRED, { fileSystem: base });
    assert.deepEqual(await scanKeys(store), [..."abdefghij"]);
  });
}
