/** Ctrl-C in the middle of a command: it ends, says so by its exit code, and leaves nothing half done. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { CAIRN, cairn, CairnProcess, startServer } from "../support/cairn_process.ts";
import { stallingAt, startAnswering } from "../support/stalling_server.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const POLL_MS = 5;
const ENTRIES = 20_000;
const VALUE = "v".repeat(1000);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** A store of 20 MB: more than any pipe holds, and some time to copy. */
async function largeStore(directory: TemporaryDirectory): Promise<string> {
  const stdin = Array.from(
    { length: ENTRIES },
    (_, index) => `{"key":"${index}","value":"${VALUE}"}`,
  )
    .join("\n");
  await cairn(["import", "-", "--db", directory.join("store")], { stdin });
  return directory.join("store");
}

async function archiveOf(store: string): Promise<Uint8Array> {
  await using server = await startServer(store);
  return new Uint8Array(await (await fetch(`${server.url}/v1/backup`)).arrayBuffer());
}

test("Ctrl-C while a backup comes from a server: exit code 130, and nothing is left", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startAnswering(
    stallingAt("application/x-tar", await archiveOf(await largeStore(directory))),
  );
  const at = ["--url", server.url];
  for (const args of [["backup", "out"], ["export", "out"], ["export", "-"]]) {
    using place = new TemporaryDirectory();
    const env = { TMPDIR: place.path };
    await using command = new CairnProcess([...args, ...at], { cwd: place.path, env });
    await until(() =>
      readdirSync(place.path, { recursive: true }).some((n) => /log$/.test(`${n}`))
    );
    const { exitCode, text, stderr } = await command.stop("SIGINT");
    assert.deepEqual([exitCode, text, stderr], [130, "", ""]);
    assert.deepEqual(readdirSync(place.path), []);
  }
});

test("Ctrl-C while an archive is restored: exit code 130, and nothing is left", async () => {
  using directory = new TemporaryDirectory();
  const archive = await archiveOf(await largeStore(directory));
  using place = new TemporaryDirectory();
  const args = ["restore", "-", "--db", place.join("restored")];
  await using command = new CairnProcess(args, { stdin: null });
  command.write(archive.subarray(0, archive.length / 2));
  await until(() => existsSync(place.join("restored")));
  assert.equal((await command.stop("SIGINT")).exitCode, 130);
  assert.deepEqual(readdirSync(place.path), []);
});

test("Ctrl-C while a directory is exported or copied: all of it is there, or nothing", async () => {
  using directory = new TemporaryDirectory();
  const store = await largeStore(directory);
  await cairn(["backup", directory.join("backup"), "--db", store]);
  const isExport = (name: unknown) => /^out/.test(`${name}`);
  const commands = [
    ["export", "out", "--db", store],
    ["backup", "out", "--db", store],
    ["restore", directory.join("backup"), "--db", "out"],
  ];
  for (const args of commands) {
    using place = new TemporaryDirectory();
    await using command = new CairnProcess(args, { cwd: place.path });
    await until(() => readdirSync(place.path).some(isExport));
    const { exitCode, signal } = await command.stop("SIGINT");
    // It may just have been through, and says which.
    const isComplete = exitCode === 0;
    assert(isComplete || exitCode === 130, `${exitCode} ${signal}`);
    if (args[0] === "export") {
      assert.deepEqual(readdirSync(place.path), isComplete ? ["out"] : []);
      if (!isComplete) continue;
      assert.equal(readFileSync(place.join("out"), "utf8").split("\n").length, ENTRIES + 1);
    } else if (isComplete) await cairn(["verify", "--db", place.join("out")]);
    else assert(!readdirSync(place.join("out", "wal")).some((name) => name.endsWith(".log")));
  }
});

for (const place of ["--db", "--url"]) {
  test(`Ctrl-C while nobody reads a list of ${place}: it ends`, async () => {
    using directory = new TemporaryDirectory();
    const store = await largeStore(directory);
    await using server = await startServer(store);
    const at = [place, place === "--db" ? store : server.url];
    const child = spawn(CAIRN, ["list", "--values", ...at], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child.stdout!, "readable");
    process.kill(child.pid!, "SIGINT");
    child.stdout!.resume();
    const [exitCode, signal] = await once(child, "close");
    // Shells make 130 of either.
    assert(exitCode === 130 || signal === "SIGINT", `${exitCode} ${signal}`);
  });
}

/** Runs a script in a process of its own, sends it Ctrl-C when it is ready, and returns what it said. */
async function interruptScript(script: string): Promise<{ exitCode: number | null; text: string }> {
  const child = spawn(process.execPath, ["eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout!.on("data", (chunk) => {
    text += chunk;
    if (text === "ready\n") process.kill(child.pid!, "SIGINT");
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, text };
}

function moduleAt(path: string): string {
  return JSON.stringify(new URL(`../../lib/cli/${path}`, import.meta.url).href);
}

test("Ctrl-C clears up all there is to clear up, what was begun last first", async () => {
  const ended = await interruptScript(`
    import { onInterrupt } from ${moduleAt("interruption.ts")};
    onInterrupt(() => console.log("first"));
    const forget = onInterrupt(() => console.log("forgotten"));
    onInterrupt(() => { throw new Error("cannot"); });
    onInterrupt(() => console.log("last"));
    forget();
    setInterval(() => {}, 1000);
    console.log("ready");
  `);
  assert.deepEqual(ended, { exitCode: 130, text: "ready\nlast\nfirst\n" });
});

test("Ctrl-C gives a copy up, which is waited for", async () => {
  const ended = await interruptScript(`
    import { copyDirectory } from ${moduleAt("transfer/directory_copy.ts")};
    const copy = ({ signal }) => new Promise((_resolve, reject) => {
      const timer = setInterval(() => {}, 1000);
      signal.onabort = () => {
        clearInterval(timer);
        console.log("cleared up");
        setTimeout(() => reject(signal.reason), 10);
      };
      console.log("ready");
    });
    await copyDirectory("no", "nowhere", copy, undefined)
      .catch((error) => console.log(error.name, error.exitCode));
  `);
  assert.deepEqual(ended, { exitCode: 0, text: "ready\ncleared up\nInterruptedError 130\n" });
});
