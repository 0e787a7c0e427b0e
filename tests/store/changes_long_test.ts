/** Many followers who come to a long record at once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { InterceptingFileSystem } from "../support/intercepting_file_system.ts";
import { openInMemory, pattern, turn } from "../support/test_store.ts";

test("changes: only a few followers at a time load a long record", async () => {
  const fs = new InterceptingFileSystem(new MemoryFileSystem());
  const store = await openInMemory({}, fs);
  const value = pattern(300_000);
  await store.set("long", value);
  let loading = 0;
  let loadingMost = 0;
  fs.beforeReadAsync = async () => {
    loadingMost = Math.max(loadingMost, ++loading);
    await turn();
    loading--;
  };
  const followers = Array.from({ length: 20 }, () => store.changes({ since: 0 }));
  const changes = await Promise.all(followers.map((feed) => feed.next()));
  for (const change of changes) assert.deepEqual(change.value?.value, value);
  assert.equal(loadingMost, 4);
  for (const feed of followers) await feed.return();
  await store.close();
});
