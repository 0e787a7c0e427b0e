/** Opening a file that another process replaces at the same moment, as a writer does with ACTIVE. */

import assert from "node:assert/strict";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { readFile } from "../../lib/fs/whole_file.ts";
import { ChildScript, reasonAgainst, RUNTIMES } from "../support/child_script.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const OPENINGS_MIN = 3000;
/** How many replacements must have been seen: where both processes share a core, few at a time. */
const VERSIONS_MIN = 10;
const DURATION_MS_MAX = 60_000;

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
    const deadline = performance.now() + DURATION_MS_MAX;
    for (let count = 0; count < OPENINGS_MIN || seen.size < VERSIONS_MIN; count++) {
      assert(performance.now() < deadline, `only ${seen.size} replacements were seen`);
      const bytes = readFile(nodeFileSystem, path, 100);
      assert.equal(bytes.length, 10, "a whole file, never a part of one");
      seen.add(new TextDecoder().decode(bytes));
    }
  },
);
