/** Runs an example as its reader would: a file of its own, in an empty directory. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { PROJECT } from "./markdown.ts";

const TIMEOUT_MS = 60_000;

/**
 * Runs a program under the runtime of the test, with nothing allowed that the documentation does not
 * say it needs, and expects it to succeed. Returns its standard output.
 */
export function runExample(code: string, name: string): string {
  using directory = new TemporaryDirectory();
  const file = directory.join("example.ts");
  writeFileSync(file, code);
  // Deno finds the package by its name in the project's own configuration; Bun is told its path.
  const paths = {
    "@cairn/kv": [`${PROJECT}lib/mod.ts`],
    "@cairn/kv/*": [`${PROJECT}lib/server/*/mod.ts`],
  };
  writeFileSync(directory.join("tsconfig.json"), JSON.stringify({ compilerOptions: { paths } }));
  const args = "Deno" in globalThis
    ? [
      "run",
      "--no-prompt",
      `--config=${PROJECT}deno.json`,
      `--allow-read=${directory.path}`,
      // A worker of Deno's has to be allowed to read its modules.
      ...(/\bnew Worker\(/.test(code) ? [`--allow-read=${PROJECT}`] : []),
      `--allow-write=${directory.path}`,
      ...(/"@cairn\/kv\/tcp"|\blisten\(/.test(code) ? ["--allow-net=127.0.0.1"] : []),
      file,
    ]
    : [file];
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: directory.path,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  assert.equal(error, undefined, name);
  assert.equal(status ?? signal, 0, `${name} fails:\n${stderr}`);
  assert.doesNotMatch(stderr, /Assertion failed/, name);
  return stdout;
}

/** Checks the types of programs, by name, all at once; returns what is wrong with them. */
export function checkTypes(programs: ReadonlyMap<string, string>, deno: string): string {
  using directory = new TemporaryDirectory();
  const files = [...programs].map(([name, code]) => {
    const file = directory.join(name.replaceAll(/[^\w.]/g, "_") + ".ts");
    writeFileSync(file, code);
    return file;
  });
  const args = ["check", "--quiet", `--config=${PROJECT}deno.json`, ...files];
  const { status, stderr } = spawnSync(deno, args, { cwd: directory.path, encoding: "utf8" });
  return status === 0 ? "" : stderr;
}

/** What an example says that it prints: the comments behind its calls of console.log, in order. */
export function announcedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)]
    .flatMap(([, comment]) => comment!.split(", "));
}
