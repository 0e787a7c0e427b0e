/** The check that runs on systems which the tests are not written for works where they are. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { PROJECT } from "../docs/markdown.ts";
import { CAIRN } from "../support/cairn_process.ts";
import { testUnless } from "../support/test_unless.ts";

const missing = existsSync(CAIRN) ? undefined : "dist/cairn is not built";

function smoke(directory: string): { status: number | null; stdout: string; stderr: string } {
  const args = ["run", "--frozen", "-A", "scripts/smoke.ts", "--directory", directory];
  return spawnSync(process.execPath, args, { cwd: PROJECT, encoding: "utf8" });
}

testUnless(missing, "smoke: the executable and the library keep a store and serve it", () => {
  const { status, stdout, stderr } = smoke(dirname(CAIRN));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /it starts\nIt keeps, .*\nIt serves\nThe library keeps .*\n$/);
  assert.notEqual(smoke(PROJECT).status, 0);
});
