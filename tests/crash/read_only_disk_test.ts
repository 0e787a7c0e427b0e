/** A file system that takes no writes, as after an error of the disk, or on a medium for reading. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileSystem } from "../../lib/fs/file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import {
  assertUntouched,
  bytesOf,
  type DiskImage,
  fromImage,
  withFile,
} from "../support/disk_image.ts";
import { FaultyFileSystem, type FileCall } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { mustOpen } from "../support/store_outcome.ts";
import { SEGMENT_NAMES, withoutHints, writeSegments } from "../support/segmented_store.ts";
import { openInMemory, PATH, text } from "../support/test_store.ts";

const TIMEOUT_MS = 120_000;
const READING: FileCall["what"][] = ["open", "read"];

/** Refuses whatever could change something below `directory`. */
function makeReadOnly(fs: FaultyFileSystem, base: FileSystem, directory: string): void {
  fs.fail = ({ what, path }) => {
    if (READING.includes(what) || !`${path}/`.startsWith(`${directory}/`)) return undefined;
    // As the system does: a directory that is there already is not created.
    return what === "makeDirectory" && base.stat(path) !== undefined ? undefined : "EROFS";
  };
}

function onReadOnlyDisk(image: DiskImage) {
  const base = fromImage(image);
  base.lock(`${PATH}/LOCK`)!.release();
  const fs = new FaultyFileSystem(base);
  makeReadOnly(fs, base, "");
  return { base, fs };
}

test("opening for writing says that the disk takes no writes", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { fs, base } = onReadOnlyDisk((await writeSegments()).image);
  await failsWith("Io", /file system is read-only.*EROFS/, () => openInMemory({}, fs));
  assert.deepEqual(fs.openNames, []);
  const elsewhere = () => KvStore.open("/elsewhere", { fileSystem: fs });
  await failsWith("Io", /file system is read-only/, elsewhere);
  assert.equal(base.stat("/elsewhere"), undefined);
});

test("opening with readOnly reads everything, and calls nothing that writes", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const newest = SEGMENT_NAMES.at(-1)!;
  const torn = new Uint8Array([...bytesOf(image, newest), 0xf1, 0x43, 0x52]);
  const images: Record<string, DiskImage> = {
    "as it was closed": image,
    "with a torn tail": withFile(image, newest, torn),
    "without hint files": withoutHints(image),
    "without NODE_ID": withFile(image, "NODE_ID", undefined),
    "with leftovers": withFile(image, "ACTIVE.tmp", new Uint8Array(9)),
  };
  for (const [what, files] of Object.entries(images)) {
    const { fs, base } = onReadOnlyDisk(files);
    assert.deepEqual((await mustOpen(fs, { readOnly: true })).state, opened.state, what);
    const { problems } = await KvStore.verify(PATH, { fileSystem: fs });
    assert.equal(problems.length, what === "without NODE_ID" ? 1 : 0, what);
    let frames = 0;
    const file = `${PATH}/wal/${SEGMENT_NAMES[0]}`;
    for await (const _ of KvStore.inspect(file, { fileSystem: fs })) frames++;
    assert(frames > 5);
    assert.deepEqual(fs.openNames, [], what);
    assert(fs.calls.every((call) => READING.some((each) => call.startsWith(`${each} `))), what);
    assertUntouched(base, files);
  }
});

test("repair reads from it and writes to another disk", { timeout: TIMEOUT_MS }, async () => {
  const { image, opened } = await writeSegments();
  const { fs, base } = onReadOnlyDisk(image);
  const repair = () => KvStore.repair(PATH, "/rescued", { fileSystem: fs });
  await failsWith("Io", /file system is read-only/, repair);
  makeReadOnly(fs, base, PATH);
  const report = await repair();
  assert(report.complete);
  // The lock cannot be taken there, and that is said.
  assert.equal(report.warnings.length, 1);
  const store = await KvStore.open("/rescued", { fileSystem: base });
  assert.equal(store.size, Object.keys(opened.state).length);
  await store.close();
  assertUntouched(base, image);
});

test("a disk that stops taking writes while a store is open: reads go on, and nothing is lost", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { image, opened } = await writeSegments();
  const base = fromImage(image);
  const fs = new FaultyFileSystem(base);
  const store = await openInMemory({}, fs);
  await store.set("later", "1");
  makeReadOnly(fs, base, "");
  await failsWith("Io", /read-only/, () => store.set("lost", "2"));
  await failsWith("Io", /takes no more writes.*reopen/, () => store.set("lost", "3"));
  assert.equal(text(await store.get("later")), "1");
  await store.close();
  assert.deepEqual(fs.openNames, []);
  fs.heal();
  assert.deepEqual((await mustOpen(fs)).state, { ...opened.state, later: "1" });
});
