/** Opening a file that another process replaces at the same moment, as a writer does with ACTIVE. */

import assert from "node:assert/strict";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { ChildScript, reasonAgainst, RUNTIMES } from "../support/child_script.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const OPENINGS = 3000;

const runtime = Object.keys(RUNTIMES).find((name) => RUNTIMES[name] !== undefined) ?? "Deno";

testUnless(
  reasonAgainst(runtime),
  "a file being replaced opens as the old or the new one",
  async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("ACTIVE");
    await using child = new ChildScript(runtime, "replace_file.ts", path);
    assert.equal(await child.line(), "begun");
    const seen = new Set<string>();
    for (let count = 0; count < OPENINGS; count++) {
      const bytes = readFile(nodeFileSystem, path, 100);
      assert.equal(bytes.length, 10, "a whole file, never a part of one");
      seen.add(new TextDecoder().decode(bytes));
    }
    assert(seen.size > 10, "it was replaced meanwhile");
  },
);
