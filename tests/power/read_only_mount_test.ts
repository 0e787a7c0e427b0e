/** The executable on a file system that is mounted read-only, with a store that was not closed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import {
  assertOneLineError,
  CAIRN,
  cairn,
  runCairn,
  startServer,
} from "../support/cairn_process.ts";
import { filesIn } from "../support/files_in.ts";
import {
  LOOP_FILE_SYSTEMS,
  LoopFileSystem,
  loopFileSystemProblem,
} from "../support/loop_file_system.ts";
import { testUnless } from "../support/test_unless.ts";

const kind = LOOP_FILE_SYSTEMS[0]!;
const skipped = loopFileSystemProblem(kind) ??
  (existsSync(CAIRN) ? undefined : "the executable is not built");

testUnless(skipped, `mounted read-only: what only looks works, on ${kind.name}`, async () => {
  using disk = new LoopFileSystem(kind);
  const db = `${disk.path}/store`;
  {
    await using server = await startServer(db, ["--log-level", "silent"]);
    const response = await fetch(`${server.url}/v1/kv/a`, { method: "PUT", body: "1" });
    assert.equal(response.status, 201);
    await server.stop("SIGKILL");
  }
  const { status } = spawnSync("mount", ["-o", "remount,ro", disk.path]);
  assert.equal(status, 0);
  const before = filesIn(`${db}/wal`);
  assert.equal((await cairn(["get", "--db", db, "a"])).text, "1");
  assert.equal((await cairn(["list", "--db", db])).text, "a\n");
  await cairn(["stats", "--db", db]);
  await cairn(["verify", "--db", db]);
  await cairn(["inspect", `${db}/wal/0000000001.log`]);
  for (const command of [["set", "a", "2"], ["del", "a"], ["compact"], ["serve"]]) {
    const result = await runCairn([...command, "--db", db]);
    assert.equal(result.text, "");
    assertOneLineError(result, 6);
    assert.match(result.stderr, /read-only; remount it for writing/);
  }
  assert.deepEqual(filesIn(`${db}/wal`), before);
});
