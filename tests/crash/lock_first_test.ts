/** The lock comes before anything else: whoever does not get it has read and changed nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../lib/errors.ts";
import { KvStore } from "../../lib/store/store.ts";
import { assertUntouched, fromImage, takeImage } from "../support/disk_image.ts";
import { FaultyFileSystem } from "../support/faulty_file_system.ts";
import { failsWith } from "../support/kv_error.ts";
import { writeSegments } from "../support/segmented_store.ts";
import { mustOpen } from "../support/store_outcome.ts";
import { openInMemory, PATH } from "../support/test_store.ts";

const ROUNDS = 20;
const OPENERS = 10;

test("opening for writing takes the lock before it reads or changes a file", async () => {
  const { image } = await writeSegments();
  const fs = new FaultyFileSystem(fromImage(image));
  await (await openInMemory({}, fs)).close();
  assert.deepEqual(fs.calls.slice(0, 2), ["makeDirectory store", "lock LOCK"]);
});

test("whoever is kept out has looked at nothing but the lock file", async () => {
  const { image } = await writeSegments();
  const fs = new FaultyFileSystem(fromImage(image));
  await using store = await openInMemory({}, fs);
  await store.set("a", "newer");
  const before = takeImage(fs);
  fs.calls.length = 0;
  await failsWith("Locked", /in use by process \d+/, () => openInMemory({}, fs));
  assert.deepEqual(
    [...new Set(fs.calls)].filter((call) => !call.endsWith(" LOCK")),
    ["makeDirectory store"],
  );
  assert(!fs.calls.some((call) => /^(create|openToWrite|write|truncate|unlink)/.test(call)));
  assertUntouched(fs, before);
});

test("of many who open a store at once exactly one gets it, and loses no write", async () => {
  const { image, opened } = await writeSegments();
  const fs = fromImage(image);
  for (let round = 0; round < ROUNDS; round++) {
    const outcomes = await Promise.allSettled(
      Array.from({ length: OPENERS }, () => openInMemory({}, fs)),
    );
    const stores: KvStore[] = [];
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") stores.push(outcome.value);
      else assert(outcome.reason instanceof KvError && outcome.reason.code === "Locked");
    }
    assert.equal(stores.length, 1);
    await stores[0]!.set(`round ${round}`, "1");
    await stores[0]!.close();
  }
  const { state } = await mustOpen(fs);
  assert.equal(Object.keys(state).length, Object.keys(opened.state).length + ROUNDS);
  assert.deepEqual((await KvStore.verify(PATH, { fileSystem: fs })).problems, []);
});
