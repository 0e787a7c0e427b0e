/** Making a store out of a backup, and refusing to. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { File, OpenMode } from "../../lib/fs/file_system.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { KvStore } from "../../lib/store/store.ts";
import { contentsOf } from "../support/backup_model.ts";
import { CountingFileSystem } from "../support/counting_file_system.ts";
import {
  assertUntouched,
  bytesOf,
  fromImage,
  withBitFlipped,
  withFile,
} from "../support/disk_image.ts";
import { leftByKill } from "../support/killed_store.ts";
import { failsWith } from "../support/kv_error.ts";
import { withoutHints, writeSegments } from "../support/segmented_store.ts";
import { logNames, openInMemory, PATH, scanAll } from "../support/test_store.ts";

const COPY = "/copy";
const BITS = 300;

test("restore: a round trip, after which the store goes on as if nothing had happened", async () => {
  const fs = new CountingFileSystem();
  const store = await openInMemory({ segmentBytesMax: 4096 }, fs);
  for (let index = 0; index < 50; index++) {
    await store.set(`key ${index % 20}`, "value ".repeat(50), index % 5 ? {} : { ttl: 3_600_000 });
  }
  await store.delete("key 7");
  const { version } = await store.backup("/backup");
  const expected = { entries: await scanAll(store), version };
  const { nodeId } = store.stats();
  await store.close();
  const report = await KvStore.restore("/backup", COPY, { fileSystem: fs });
  assert.equal(report.version, version);
  assert.equal(report.files, logNames(fs, COPY).length);
  assert.deepEqual([fs.openPaths, fs.locks], [[], 0]);
  assert.deepEqual(await contentsOf(fs, COPY), expected);
  await using restored = await KvStore.open(COPY, { fileSystem: fs });
  assert.equal(restored.stats().nodeId, nodeId);
  assert.equal((await restored.set("next", "")).version, version + 1);
  await restored.compact();
});

test("restore: hint files go along, unless they are damaged", async () => {
  const { image, opened } = await writeSegments();
  const hint = "0000000001.hint";
  const damaged = withFile(image, hint, withBitFlipped(bytesOf(image, hint), 500));
  for (const [files, hints] of [[image, 2], [damaged, 1], [withoutHints(image), 0]] as const) {
    const fs = fromImage(files);
    await KvStore.restore(PATH, COPY, { fileSystem: fs });
    assertUntouched(fs, files);
    await using copy = await KvStore.open(COPY, { fileSystem: fs, readOnly: true });
    assert.equal(copy.stats().replay.hints, hints);
    assert.equal(copy.stats().version, opened.version);
  }
});

test("restore: any damage to what counts is refused, and nothing is written", async () => {
  const { image } = await writeSegments();
  let flipped = 0;
  for (const [name, bytes] of image) {
    // ACTIVE repeats the identity, and a hint file can be done without.
    if (name.endsWith(".hint") || name === "NODE_ID") continue;
    const step = Math.max(1, Math.floor(bytes.length * 8 / BITS));
    for (let bit = 0; bit < bytes.length * 8; bit += step) {
      const damaged = withFile(image, name, withBitFlipped(bytes, bit));
      const fs = fromImage(damaged);
      const error = await KvStore.restore(PATH, COPY, { fileSystem: fs }).then(
        () => undefined,
        (reason) => reason,
      );
      assert(error !== undefined, `bit ${bit} of ${name} was not noticed`);
      await failsWith("CorruptLog", /Cannot restore.*another backup/, () => Promise.reject(error));
      assert.equal(fs.stat(COPY), undefined);
      assertUntouched(fs, damaged);
      flipped++;
    }
  }
  assert(flipped > 3 * BITS);
});

test("restore: an identity that is another one is refused", async () => {
  const { image } = await writeSegments();
  const other = new TextEncoder().encode("00000000-0000-4000-8000-000000000000\n");
  const mixed = fromImage(withFile(image, "NODE_ID", other));
  const restore = () => KvStore.restore(PATH, COPY, { fileSystem: mixed });
  await failsWith("CorruptLog", /identity/, restore);
  assert.equal(mixed.stat(COPY), undefined);
});

test("restore: a file that is missing is refused", async () => {
  const { image } = await writeSegments();
  for (const name of ["ACTIVE", "0000000001.log", "0000000003.log"]) {
    const fs = fromImage(withFile(image, name, undefined));
    const restore = () => KvStore.restore(PATH, COPY, { fileSystem: fs });
    await failsWith("CorruptLog", /another backup/, restore);
    assert.equal(fs.stat(COPY), undefined);
  }
});

test("restore: from a copy that was used as a store and killed, all but its torn tail", async () => {
  const image = await leftByKill(async (store) => {
    await store.set("a", "1");
    await store.set("b", "2");
  });
  const name = "0000000001.log";
  const torn = new Uint8Array([...bytesOf(image, name), 1, 2, 3]);
  const fs = fromImage(withFile(image, name, torn));
  assert.equal((await KvStore.restore(PATH, COPY, { fileSystem: fs })).version, 2);
  const { entries } = await contentsOf(fs, COPY);
  assert.deepEqual(entries.map(({ key }) => key), ["a", "b"]);
});

test("restore: paths that cannot be", async () => {
  const { image } = await writeSegments();
  const fs = fromImage(image);
  const refuses = (backup: string, path: string, message: RegExp) =>
    failsWith("InvalidArgument", message, () => KvStore.restore(backup, path, { fileSystem: fs }));
  await refuses(PATH, PATH, /choose another path/);
  await refuses(PATH, `${PATH}/wal/deeper`, /lies in/);
  await refuses(PATH, "", /pass the path/);
  await refuses(7 as unknown as string, COPY, /pass the path/);
  fs.makeDirectory("/full");
  fs.open("/full/notes", "create").close();
  await refuses(PATH, "/full", /not empty/);
  await refuses(PATH, "/full/notes", /not a directory/);
  const missing = () => KvStore.restore("/nowhere", COPY, { fileSystem: fs });
  await failsWith("Io", /does not exist/, missing);
  await failsWith("Io", /no store/, () => KvStore.restore("/full", COPY, { fileSystem: fs }));
  await KvStore.restore(PATH, COPY, { fileSystem: fs });
  await refuses(PATH, COPY, /not empty/);
  assertUntouched(fs, image);
});

test("restore: not beside a store that writes to the backup, nor to one that is in use", async () => {
  const fs = new MemoryFileSystem();
  const store = await openInMemory({}, fs);
  const restore = () => KvStore.restore(PATH, COPY, { fileSystem: fs });
  await failsWith("Locked", /close that one first/, restore);
  await store.close();
  fs.makeDirectory(COPY);
  const lock = fs.lock(`${COPY}/LOCK`);
  await failsWith("Locked", /choose another path/, restore);
  lock?.release();
  await restore();
});

test("restore: an aborted one leaves nothing that opens", async () => {
  const { image } = await writeSegments();
  const fs = new CountingFileSystem(fromImage(image));
  const restore = (signal: AbortSignal) => KvStore.restore(PATH, COPY, { fileSystem: fs, signal });
  await assert.rejects(restore(AbortSignal.abort("early")), (reason) => reason === "early");
  assert.equal(fs.stat(COPY), undefined);
  assert.deepEqual([fs.openPaths, fs.locks], [[], 0]);
  await restore(new AbortController().signal);
});

/** A disk that writes segments into the copy other than it was told to. */
class LyingFileSystem extends MemoryFileSystem {
  override open(path: string, mode: OpenMode): File {
    const file = super.open(path, mode);
    if (mode !== "create" || !path.startsWith(COPY) || !path.endsWith(".log")) return file;
    const write = file.write.bind(file);
    file.write = (buffer, offset, length, position) => {
      const bytes = buffer.slice(offset, offset + length);
      bytes[length >> 1]! ^= 1;
      return write(bytes, 0, length, position);
    };
    return file;
  }
}

test("restore: a disk that writes something else is found out, and nothing left that opens", async () => {
  const fs = new LyingFileSystem();
  const store = await openInMemory({}, fs);
  await store.set("a", "1");
  await store.close();
  await failsWith("CorruptLog", /Cannot restore into.*another disk/, () => {
    return KvStore.restore(PATH, COPY, { fileSystem: fs });
  });
  await failsWith("CorruptLog", /unfinished/, () => KvStore.open(COPY, { fileSystem: fs }));
});
