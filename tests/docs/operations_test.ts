/** Holds docs/operations.md, the unit of systemd and the container file against the executable. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import config from "../../deno.json" with { type: "json" };
import { releaseName, TARGETS } from "../../scripts/release/target.ts";
import { CAIRN, cairn, runCairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { codeBlocks, readText, tableUnder } from "./markdown.ts";

const OPERATIONS = readText("docs/operations.md");
const UNIT = readText("packaging/cairn.service");
const CONTAINER = readText("packaging/Containerfile");
const TOKEN = "9f86d081884c7d659a2feaa0c55ad015";

const missing = existsSync(CAIRN) ? undefined : "dist/cairn is not built";

/** The values of a directive of the unit. */
function directives(name: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value!);
}

/** The arguments of an instruction of the container file that is written as JSON. */
function instruction(name: string): string[] {
  const [, json] = new RegExp(`^${name} (\\[.*\\])$`, "m").exec(CONTAINER) ??
    assert.fail(name);
  return JSON.parse(json!) as string[];
}

const [execStart = ""] = directives("ExecStart");
/** `CMD` of its own, and that of the health check. */
const containerCommand = JSON.parse(/^CMD (\[.*\])$/m.exec(CONTAINER)![1]!) as string[];
const healthCheck = JSON.parse(/^ {2}CMD (\[.*\])$/m.exec(CONTAINER)![1]!) as string[];

/** Every call of the executable in the page and the files, as arguments. */
function calls(): string[][] {
  const lines = codeBlocks(OPERATIONS).filter(({ info }) => info === "sh")
    .flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"));
  const inPage = lines.flatMap((line) => {
    const [, call] = /^\s*(?:sudo )?(?:podman run .* )?cairn ([a-z].*)$/.exec(line) ?? [];
    return call === undefined ? [] : [call];
  });
  const inProse = [...OPERATIONS.replaceAll("\n", " ").matchAll(/`cairn ([a-z]+)`/g)]
    .map(([, call]) => call!);
  return [...inPage, ...inProse, execStart.replace(/^\S+cairn /, "")]
    .map((call) => call.split(/\s+/))
    .concat([containerCommand, healthCheck.slice(1)]);
}

testUnless(missing, "operations.md: every command and flag is one of the executable", async () => {
  const found = calls();
  assert(found.length >= 10, `${found.length} calls`);
  for (const [command, ...args] of found) {
    const help = await runCairn(["help", command!]);
    assert.equal(help.exitCode, 0, command);
    for (const flag of args.filter((each) => each.startsWith("--"))) {
      assert.match(help.text, new RegExp(`^ +${flag}\\b`, "m"), `cairn ${command} has no ${flag}`);
    }
  }
  // Flags that the prose and the comments name are those of serve, or of tools that are not ours.
  const { text } = await runCairn(["help", "serve"]);
  const others = ["--build-arg", "--health-cmd"];
  for (const [, flag] of `${OPERATIONS}\n${UNIT}`.matchAll(/(?:`|# {3}|cert |key )(--[\w-]+)/g)) {
    assert(others.includes(flag!) || flag === "--url" || text.includes(`  ${flag} `), flag);
  }
});

test("operations.md: the files of a release are those that it builds", () => {
  const rows = tableUnder(OPERATIONS, "Install").map(({ file }) => file);
  const archives = TARGETS.map((each) => `${releaseName("0.1.0", each)}.${each.archive}`);
  assert.deepEqual(rows, [...archives, "cairn-0.1.0.cdx.json", "SHA256SUMS"]);
  assert.match(config.version, /^\d+\.\d+\.\d+$/);
});

testUnless(
  missing,
  "the unit: what it starts keeps strangers out and stops by SIGTERM",
  async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.join("token"), `${TOKEN}\n`, { mode: 0o600 });
    assert.deepEqual(directives("LoadCredential"), ["token:/etc/cairn/token"]);
    assert.deepEqual(directives("StateDirectory"), ["cairn"]);
    const [program, command, db, store, ...rest] = execStart
      .replaceAll("%S/cairn", directory.join("cairn")).replaceAll("%d", directory.path).split(" ");
    assert.deepEqual([program, command, db], ["/usr/local/bin/cairn", "serve", "--db"]);
    await using server = await startServer(store!, rest);
    assert.equal((await fetch(`${server.url}/v1/stats`)).status, 401);

    // The health check of the container asks just such a server.
    const check = healthCheck.slice(1).map((each) =>
      each.replace("http://127.0.0.1:8620", server.url)
        .replace("/run/secrets/cairn-token", directory.join("token"))
    );
    await cairn(check);
    assert.deepEqual(directives("KillSignal"), ["SIGTERM"]);
    assert.equal((await server.stop("SIGTERM")).exitCode, 0);
    assert.equal((await runCairn(check)).exitCode, 3);
  },
);

testUnless(missing, "the unit: it is not started again where that would not help", async () => {
  using directory = new TemporaryDirectory();
  assert.deepEqual(directives("RestartPreventExitStatus"), ["2 4"]);
  const wrongly = await runCairn(["serve", "--db", directory.path, "--http", "nowhere"]);
  assert.equal(wrongly.exitCode, 2);
  await cairn(["set", "a", "1", "--db", directory.path]);
  const segment = directory.join("wal", "0000000001.log");
  const bytes = readFileSync(segment);
  bytes[70]! ^= 1;
  writeFileSync(segment, bytes);
  const damaged = await runCairn(["serve", "--db", directory.path, "--http", "127.0.0.1:0"]);
  assert.equal(damaged.exitCode, 4, damaged.stderr);
});

function missingSystemd(): string | undefined {
  const { stdout, error } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  if (error !== undefined) return "there is no systemd-analyze";
  // Earlier ones know neither %d nor --offline.
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0) < 250 ? "systemd is too old" : missing;
}

testUnless(missingSystemd(), "the unit: systemd finds nothing wrong, and little exposed", () => {
  using directory = new TemporaryDirectory();
  const unit = directory.join("cairn.service");
  writeFileSync(unit, UNIT.replace("/usr/local/bin/cairn", CAIRN));
  const verified = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  const complaints = verified.stderr.split("\n").filter((line) => line.includes("cairn.service"));
  assert.deepEqual(complaints, []);
  assert.equal(verified.status, 0, verified.stderr);
  const options = ["security", "--offline=yes", "--no-pager", "--threshold=20", unit];
  const { status, stdout } = spawnSync("systemd-analyze", options, { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

testUnless(missing, "the container: by itself it lets nobody in, and says why", async () => {
  using directory = new TemporaryDirectory();
  const { exitCode, stderr } = await runCairn(containerCommand, {
    env: { CAIRN_DB: directory.join("data") },
  });
  assert.equal(exitCode, 2);
  assert.match(stderr, /^cairn: .*token.*\n$/);
});

test("the container: it is made of a release's archive, for a user without rights", () => {
  const names = TARGETS.filter(({ os, archive }) => os === "linux" && archive === "tar.gz")
    .map((target) => releaseName("0.1.0", target));
  const [, added] = /^ADD (\S+)\.tar\.gz \/$/m.exec(CONTAINER)!;
  const [, copied] = /^COPY --from=release \/(\S+)\/ \/opt\/cairn\/$/m.exec(CONTAINER)!;
  assert.equal(added, copied);
  for (const arch of ["x64", "arm64"]) {
    assert(names.includes(added!.replace("${VERSION}", "0.1.0").replace("${ARCH}", arch)), arch);
  }
  assert.deepEqual(instruction("ENTRYPOINT"), ["/opt/cairn/cairn"]);
  assert.equal(healthCheck[0], "/opt/cairn/cairn");
  assert.match(CONTAINER, /^USER (\d+):\1$/m);
  assert.match(CONTAINER, /^VOLUME \/data$/m);
  assert.match(CONTAINER, /^ENV CAIRN_DB=\/data$/m);
});
