/** Writes through the thread pool. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../lib/assert.ts";
import { nodeFileSystem } from "../../lib/fs/node_file_system.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { isIoError } from "./file_system_contract.ts";
import { readFile } from "../../lib/fs/whole_file.ts";

const bytes = (content: string) => new TextEncoder().encode(content);

test("writes that do not block do the same as those that do", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("f");
  const content = () => new TextDecoder().decode(readFile(nodeFileSystem, path, 100));
  const file = nodeFileSystem.open(path, "create");
  file.write(bytes("abc"), 0, 3, 0);
  assert.equal(await file.writeAsync!(bytes("-XY-"), 1, 2, 1), 2);
  assert.equal(await file.writeAsync!(bytes("Z"), 0, 1, 5), 1);
  assert.equal(content(), "aXY\0\0Z");
  assert.throws(() => file.writeAsync!(bytes("Z"), 0, 2, 5), InvariantError);
  // What was begun does not go to another file that gets the descriptor's number.
  const begun = file.writeAsync!(bytes("end"), 0, 3, 6);
  file.close();
  assert.equal(await begun, 3);
  await assert.rejects(file.writeAsync!(bytes("Z"), 0, 1, 5), isIoError("EBADF", path));
  assert.equal(content(), "aXY\0\0Zend");
});
