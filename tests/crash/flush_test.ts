/** What flush, flushSync and close promise, held against a power cut right after them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";
import { readActive } from "../../lib/log/active_file.ts";
import { SegmentScanner } from "../../lib/log/segment_scanner.ts";
import type { KvStore } from "../../lib/store/store.ts";
import { CrashFileSystem } from "../support/crash_file_system.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { read } from "../support/store_outcome.ts";
import { DURABILITIES, openInMemory, PATH } from "../support/test_store.ts";

const SEEDS = 4;
const CALLS: Record<string, (store: KvStore) => unknown> = {
  flush: (store) => store.flush(),
  flushSync: (store) => store.flushSync(),
  close: (store) => store.close(),
};

for (const [durabilityName, durability] of DURABILITIES) {
  for (const [name, call] of Object.entries(CALLS)) {
    test(`${durabilityName}: after ${name} everything outlives a power cut`, async () => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const fs = new CrashFileSystem({ random: new SeededRandom(seed) });
        const store = await openInMemory({ durability }, fs);
        const writes = [store.set("a", "1"), store.set("b", "2"), store.set("c", "3")];
        await call(store);
        fs.restart("power");
        await Promise.all(writes);
        const again = await openInMemory({}, fs);
        assert.deepEqual((await read(again)).state, { a: "1", b: "2", c: "3" }, `seed ${seed}`);
      }
    });
  }
}

for (const [durabilityName, durability] of DURABILITIES) {
  test(`${durabilityName}: a log that was closed ends with a mark that calls all of it durable`, async () => {
    const fs = new MemoryFileSystem();
    const store = await openInMemory({ durability }, fs);
    await store.set("a", "1");
    await store.close();
    const file = fs.open(`${PATH}/wal/0000000001.log`, "read");
    const { nodeId } = readActive(fs, `${PATH}/wal`)!;
    const scanner = new SegmentScanner(file, file.size(), { fileId: 1, nodeId });
    assert(scanner.readHeader());
    while (scanner.next());
    assert.equal(scanner.problem, undefined);
    assert(scanner.endsSealed);
  });
}
