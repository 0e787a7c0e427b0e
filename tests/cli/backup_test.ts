import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  cairn,
  cairnFails,
  runInTerminal,
  runShell,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

async function storeWith(directory: TemporaryDirectory, key = "a"): Promise<string> {
  const path = directory.join("store");
  await cairn(["set", key, "1", "--db", path]);
  return path;
}

test("backup and restore: of a directory and of a server, and nothing is overwritten", async () => {
  using directory = new TemporaryDirectory();
  const store = await storeWith(directory);
  await using server = await startServer(store);
  for (const place of [["--db", store], ["--url", server.url]]) {
    const name = directory.join(`backup${place[0]}`);
    const { text } = await cairn(["backup", name, ...place]);
    assert.match(text, /^Backed up version 1 into .*: \d files, \d+ B in .* \(.*B\/s\)\n$/);
    assert.match((await cairn(["verify", "--db", name])).text, /^Sound: 1 record /);
    assert.equal(statSync(name).mode & 0o777, 0o700);
    assert.equal(statSync(`${name}/wal/ACTIVE`).mode & 0o777, 0o600);
    assert.match(await cairnFails(2, ["backup", name, ...place]), /is not empty/);
    const restored = `${name}-restored`;
    const report = JSON.parse((await cairn(["restore", name, "--db", restored, "--json"])).text);
    assert.deepEqual([report.version, report.destination], [1, restored]);
    assert.equal((await cairn(["get", "a", "--db", restored])).text, "1");
    assert.match(await cairnFails(2, ["restore", name, "--db", restored]), /is not empty/);
    assert.match(await cairnFails(2, ["restore", name, "--db", store]), /is not empty/);
  }
  assert.match(await cairnFails(6, ["restore", "no", "--db", directory.join("x")]), /no backup in/);
});

test("restore: a tar archive, from a file or a pipe; a part of one is refused", async () => {
  using directory = new TemporaryDirectory();
  const store = await storeWith(directory);
  await using server = await startServer(store);
  const archive = new Uint8Array(await (await fetch(`${server.url}/v1/backup`)).arrayBuffer());
  const file = directory.join("b.tar");
  writeFileSync(file, archive);
  await cairn(["restore", file, "--db", directory.join("r1")]);
  await cairn(["restore", "-", "--db", directory.join("r2")], { stdin: archive });
  assert.equal((await cairn(["get", "a", "--db", directory.join("r2")])).text, "1");
  const to = directory.join("r3");
  for (const length of [0, 100, 1000, 2000, archive.length - 1024 - 512, archive.length - 1400]) {
    const stdin = archive.subarray(0, length);
    const error = await cairnFails(4, ["restore", "-", "--db", to], { stdin });
    assert.match(error, /cut short|damaged/);
    assert(!existsSync(to), `${length}: ${existsSync(to) && readdirSync(to, { recursive: true })}`);
  }
  const harmed = archive.slice();
  const place = Buffer.from(archive).indexOf("a1"); // the key, and its value
  assert(place > 0);
  harmed[place + 1]! ^= 2;
  await cairnFails(4, ["restore", "-", "--db", to], { stdin: harmed });
  assert(!existsSync(to));
});

test("restore: an archive cannot write anywhere else", async () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.join("cairn-backup-1"));
  writeFileSync(directory.join("evil"), "x");
  const script = "tar c --transform 's,^evil$,cairn-backup-1/../../evil2,' -P evil | " +
    '"$CAIRN" restore - --db out';
  const { exitCode, stderr } = await runShell(script, { cwd: directory.path });
  assert.equal(exitCode, 4);
  assert.match(stderr, /is no backup/);
  assert.deepEqual(readdirSync(directory.path).sort(), ["cairn-backup-1", "evil"]);
});

test("terminal: backup and restore show how far they are, and elsewhere one line", async () => {
  using directory = new TemporaryDirectory();
  const store = directory.join("store");
  const value = "v".repeat(100_000);
  const lines = Array.from(
    { length: 300 },
    (_, index) => `{"key":"${index}","value":"${value}"}\n`,
  );
  await cairn(["import", "-", "--db", store], { stdin: lines.join("") });
  await using server = await startServer(store);
  const bar = (name: string) =>
    new RegExp(`^${name}  \\[[#-]{24}\\] +\\d+%  [\\d.]+ [KM]?i?B  [\\d.]+ [KMG]?i?B/s`);
  const commands: [command: string, drawn: RegExp][] = [
    ["backup one --db store", /^backup {2}/],
    [`backup two --url ${server.url}`, bar("backup")],
    ["restore one --db three", /^restore {2}/],
    [`export four --url ${server.url}`, bar("fetch")],
  ];
  for (const [command, drawn] of commands) {
    const options = { env: { TERM: "xterm" }, cwd: directory.path };
    const shown = await runInTerminal(`"$CAIRN" ${command}`, options);
    if (shown === undefined) return;
    const lines = shown.text.split("\r\x1b[K");
    assert(lines.some((line) => drawn.test(line)), `${command}: ${shown.text}`);
    assert.match(lines.at(-1)!, /^(?:Backed up|Restored|Exported) .* in .*\/s\).*\r\n$/);
  }
  const { text, stderr } = await cairn(["backup", directory.join("five"), "--db", store]);
  assert.match(text, /^Backed up version \d+ into .*: \d+ files, 28\.\d MiB in .* \(.*\/s\)\n$/);
  assert.equal(stderr, "");
});
