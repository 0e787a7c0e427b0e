/** Pipes that another process has made non-blocking: they say EAGAIN instead of making us wait. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { CAIRN, cairn } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const noFifos = spawnSync("mkfifo", ["--version"]).error === undefined
  ? undefined
  : "no mkfifo here";

/** Far more than a pipe holds. */
const BYTES = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 31) & 0xff);

function openFifo(directory: TemporaryDirectory, access: number): { path: string; fd: number } {
  const path = directory.join("fifo");
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  return { path, fd: openSync(path, access | constants.O_NONBLOCK) };
}

testUnless(noFifos, "output: a pipe that is full is waited for", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  const out = directory.join("out");
  await cairn(["set", "blob", "--db", db], { stdin: BYTES });
  const { path, fd } = openFifo(directory, constants.O_RDWR);
  const writer = spawn(CAIRN, ["get", "blob", "--db", db], { stdio: ["ignore", fd, "inherit"] });
  const script = `sleep 0.3; exec head -c ${BYTES.length} '${path}' > '${out}'`;
  const reader = spawn("/bin/sh", ["-c", script], { stdio: "ignore" });
  const [[exitCode]] = await Promise.all([once(writer, "exit"), once(reader, "exit")]);
  closeSync(fd);
  assert.equal(exitCode, 0);
  assert.deepEqual(new Uint8Array(readFileSync(out)), BYTES);
});

testUnless(noFifos, "input: a pipe that is empty is waited for", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  const source = directory.join("source");
  const opened = directory.join("opened");
  writeFileSync(source, BYTES);
  const { path, fd } = openFifo(directory, constants.O_RDONLY);
  const script = `exec > '${path}'; : > '${opened}'; sleep 0.3; exec cat '${source}'`;
  spawn("/bin/sh", ["-c", script], { stdio: "ignore" });
  // Before the other end is open, there would be no waiting but an end of the input.
  while (!existsSync(opened)) await new Promise((resolve) => setTimeout(resolve, 10));
  const reader = spawn(CAIRN, ["set", "blob", "--db", db], { stdio: [fd, "ignore", "inherit"] });
  closeSync(fd);
  assert.deepEqual(await once(reader, "exit"), [0, null]);
  assert.deepEqual((await cairn(["get", "blob", "--db", db])).stdout, BYTES);
});
