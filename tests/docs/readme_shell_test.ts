/**
 * Runs the commands of README.md in a shell, one by one, with the executable that was built. A
 * comment behind a command tells what it prints, with white space as one space, or how it exits.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { CAIRN, startServer } from "../support/cairn_process.ts";
import { denoPath } from "../support/runtimes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { codeBlocks, PROJECT, readText, sectionOf } from "./markdown.ts";

const README = readText("README.md");

function missing(...programs: string[]): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  const absent = programs.find((name) => spawnSync(name, ["--version"]).error !== undefined);
  if (absent !== undefined) return `there is no ${absent}`;
  return programs.includes("nc") && !closesItsSide() ? "nc has no option -N here" : undefined;
}

/** Of several programs called nc, OpenBSD's closes its side at the end of its input when told to. */
function closesItsSide(): boolean {
  const { stdout, stderr } = spawnSync("nc", ["-h"], { encoding: "utf8" });
  return /^\s*-N\b/m.test(stdout + stderr);
}

/** The commands under a heading, block by block. */
function commandsUnder(heading: string): string[][] {
  return codeBlocks(sectionOf(README, heading)).filter(({ info }) => info === "sh")
    .map(({ code }) => code.trim().split("\n"));
}

function environment(): Record<string, string | undefined> {
  const PATH = [dirname(CAIRN), dirname(denoPath ?? CAIRN), process.env["PATH"]].join(":");
  return { ...process.env, PATH };
}

/** Runs a command, compares what its comment says, and returns what it printed. */
async function runCommand(line: string, cwd: string): Promise<string> {
  const [, command, comment] = /^(.*?)(?: +# (.*))?$/.exec(line)!;
  const child = spawn("bash", ["-c", command!], {
    cwd,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Uint8Array) => output += new TextDecoder().decode(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => errors += new TextDecoder().decode(chunk));
  const [exitCode] = await once(child, "close");
  const expectedCode = Number(/^exits with (\d+)$/.exec(comment ?? "")?.[1] ?? 0);
  assert.equal(exitCode, expectedCode, `${line}\n${errors}`);
  if (comment !== undefined && expectedCode === 0) {
    assert.equal(output.trim().replace(/\s+/g, " "), comment, line);
  }
  return output;
}

testUnless(missing("bash"), "README.md: the tour of the command line", async () => {
  using directory = new TemporaryDirectory();
  const blocks = commandsUnder("Command line");
  assert.equal(blocks.length, 1);
  for (const line of blocks[0]!) await runCommand(line, directory.path);
});

testUnless(missing("bash", "curl"), "README.md: the tour of HTTP", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("data"));
  const blocks = commandsUnder("HTTP");
  assert.equal(blocks.length, 2);
  for (const line of blocks.flat()) {
    const [command, comment] = line.split(/ +(?=# )/);
    // Without -f, curl is content with every answer.
    const curl = /^# 4\d\d$/.test(comment ?? "") ? "curl -sS" : "curl -sSf";
    const here = command!.replace("http://127.0.0.1:8620", server.url).replace("curl", curl);
    await runCommand(comment === undefined ? here : `${here} ${comment}`, directory.path);
  }
});

/** The tour of TCP: a block for clients of Redis, and one for netcat. */
const TCP_BLOCKS = [["redis-cli", "redis-benchmark"], ["nc"]] as const;
for (const [index, programs] of TCP_BLOCKS.entries()) {
  const [program] = programs;
  testUnless(
    missing("bash", ...programs),
    `README.md: the tour of TCP with ${program}`,
    async () => {
      using directory = new TemporaryDirectory();
      await using server = await startServer(directory.join("data"));
      const blocks = commandsUnder("TCP and Redis clients");
      assert.equal(blocks.length, TCP_BLOCKS.length);
      for (const line of blocks[index]!) {
        assert.match(line, / 8621\b/);
        await runCommand(line.replace(/ 8621\b/, ` ${server.tcpPort}`), directory.path);
      }
    },
  );
}

testUnless(missing("bash", "apt-cache"), "README.md: a real data set, and kill -9", async () => {
  using directory = new TemporaryDirectory();
  const [[start, ...rest] = [], tour = []] = commandsUnder("A real data set");
  const script = `${PROJECT}examples/apt_packages.ts`;
  const inProject = (line: string) => line.replace("examples/apt_packages.ts", script);
  const [program] = inProject(start!).split(" & ");
  const acknowledged = await killWhileWriting(program!, directory.path);
  for (const line of rest) await runCommand(inProject(line), directory.path);
  const output = await runCommand(program!, directory.path);
  const [, kept, written] = /has (\d+) packages\n\r(\d+) written/.exec(output)!;
  assert(Number(kept) >= acknowledged, `${kept} of ${acknowledged} packages are there`);
  assert.equal(Number(written), 0);
  for (const line of tour) await runCommand(line, directory.path);
});

/** Ends a program with kill -9 as soon as it says that it has written; returns how much it said. */
async function killWhileWriting(program: string, cwd: string): Promise<number> {
  const child = spawn("bash", ["-c", `exec ${program}`], {
    cwd,
    env: environment(),
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Uint8Array) => {
    output += new TextDecoder().decode(chunk);
    if (output.includes(" written")) child.kill("SIGKILL");
  });
  const [, signal] = await once(child, "close");
  assert.equal(signal, "SIGKILL", output);
  return Number(/.*\r(\d+) written/s.exec(output)?.[1]);
}
