/** One directory, two processes, two runtimes. */

import assert from "node:assert/strict";
import { KvStore } from "../../lib/store/store.ts";
import { ChildScript, reasonAgainst, RUNTIMES } from "../support/child_script.ts";
import { failsWith } from "../support/kv_error.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { scanAll, text } from "../support/test_store.ts";
import { testUnless } from "../support/test_unless.ts";

for (const holder of Object.keys(RUNTIMES)) {
  for (const other of Object.keys(RUNTIMES)) {
    testUnless(reasonAgainst(holder, other), `${holder} holds, ${other} is kept out`, async () => {
      using directory = new TemporaryDirectory();
      await using held = new ChildScript(holder, "hold_open.ts", directory.path);
      assert.equal(await held.line(), "open");
      await using kept = new ChildScript(other, "hold_open.ts", directory.path);
      assert.equal(await kept.line(), "Locked");
      await failsWith("Locked", /in use by process \d+/, () => KvStore.open(directory.path));
      await held.kill();
      await using next = new ChildScript(other, "hold_open.ts", directory.path);
      assert.equal(await next.line(), "open", "a killed holder leaves no lock");
      await next.finish();
      assert.deepEqual(next.lines, ["open", "closed"]);
      await (await KvStore.open(directory.path)).close();
    });
  }

  testUnless(
    reasonAgainst(holder),
    `readers see a sound store beside a writer that compacts in ${holder}`,
    async () => {
      using directory = new TemporaryDirectory();
      const path = directory.join("store");
      await using writer = new ChildScript(holder, "bulk_load.ts", path, "0", "300");
      while (await writer.line() !== "600");
      const idsSeen = new Set<string>();
      for (let round = 0; round < 25; round++) {
        const acknowledged = Number(writer.lines.at(-1));
        await using store = await KvStore.open(path, { readOnly: true });
        const entries = await scanAll(store);
        const values = new Map(entries.map(({ key, value }) => [key, text(value)!]));
        assert.equal(values.get("left"), values.get("right"), "half a batch was seen");
        // Sixteen write at once, so that of those around the newest some may still be missing.
        assert(parseInt(values.get("left")!) >= acknowledged - 10 - 2 * 16);
        assert(entries.length > 250);
        idsSeen.add(String(store.stats().segments));
        await failsWith("ReadOnly", /readOnly/, () => store.set("key", "value"));
      }
      await failsWith("Locked", /in use/, () => KvStore.open(path));
      await writer.kill();
      await using store = await KvStore.open(path);
      assert(store.size > 250);
    },
  );
}
