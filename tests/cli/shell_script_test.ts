/** The shell as a script has it: lines from a file or a pipe. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { History, HISTORY_LINES_MAX, historyPath } from "../../lib/cli/shell/history.ts";
import { PlainLines } from "../../lib/cli/shell/line_source.ts";
import { cairn, cairnFails, CairnProcess, runCairn, runShell } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

async function shell(directory: TemporaryDirectory, stdin: string, args: string[] = []) {
  const options = { stdin, cwd: directory.path, env: { HOME: directory.path } };
  return await runCairn(["shell", "--db", directory.join("store"), ...args], options);
}

test("shell: a script runs to its end, without a prompt, and leaves no history", async () => {
  using directory = new TemporaryDirectory();
  const lines = "\ufeffset a 1\r\n# a comment\n\n  set b 'two\nlines' --ttl 1h\nget b\ncairn list";
  const { exitCode, text, stderr } = await shell(directory, lines);
  assert.deepEqual([exitCode, text, stderr], [0, "two\nlinesa\nb\n", ""]);
  assert(!existsSync(directory.join(".local")));
});

test("shell: a script stops at the first failure, whose exit code it has", async () => {
  using directory = new TemporaryDirectory();
  const { exitCode, text, stderr } = await shell(directory, "set a 1\nget b\nset c 1\n");
  assert.deepEqual([exitCode, text], [1, ""]);
  assert.match(stderr, /^cairn: line 2: there is no key "b" in \S+\n$/);
  assert.equal((await shell(directory, "list\n")).text, "a\n");
});

test("shell: --keep-going goes on, and has the exit code of the first failure", async () => {
  using directory = new TemporaryDirectory();
  const script = "bogus\nset a 1\nget b\nget 'a\nb'\nget a --json\n";
  const { exitCode, text, stderr } = await shell(directory, script, ["--keep-going"]);
  assert.equal(exitCode, 2);
  assert.match(text, /^\{"key":"a",.*\}\n$/);
  assert.match(
    stderr,
    /^cairn: line 1: unknown.*\ncairn: line 3: .*\ncairn: line 4: .*"a\\nb".*\n$/,
  );
});

const wrongLines: [line: string, exitCode: number, message: RegExp][] = [
  ["set a 'open\n", 2, /the last command is not complete/],
  ["get a\\", 2, /the last command is not complete/],
  ["set a\n", 2, /the value is missing/],
  ["set a -\n", 2, /the value is missing/],
  ["import -\n", 2, /name a file to import/],
  ["list --url http://127.0.0.1:1\n", 2, /--url is for the command line/],
  ["get a --token-file t\n", 2, /--token-file is for the command line/],
  ["serve\n", 2, /'serve' is not for use inside a shell/],
  ["shell\n", 2, /'shell' is not for use inside a shell/],
  ["exit now\n", 2, /too many arguments/],
  ["get a\n", 6, /there is no store in/],
  ["list --limti 1\n", 2, /Did you mean --limit\?/],
];

for (const [line, exitCode, message] of wrongLines) {
  test(`shell: a mistake in a script: ${JSON.stringify(line)}`, async () => {
    using directory = new TemporaryDirectory();
    const result = await shell(directory, line);
    assert.deepEqual([result.exitCode, result.text], [exitCode, ""]);
    assert.match(result.stderr, /^cairn: line 1: [^\n]+\n$/);
    assert.match(result.stderr, message);
    assert(!existsSync(directory.join("store")));
  });
}

test("shell: what is destroyed in a script needs --yes", async () => {
  using directory = new TemporaryDirectory();
  const { exitCode, stderr } = await shell(directory, "set a 1\nexport f\nexport f\n");
  assert.equal(exitCode, 2);
  assert.match(stderr, /line 3: "f" exists: replace it\? Say so with --yes/);
  assert.equal((await shell(directory, "export f --yes\n")).exitCode, 0);
});

test("shell: exit ends a script, and --json is for every line", async () => {
  using directory = new TemporaryDirectory();
  const { exitCode, text } = await shell(directory, "set a 1\nexit\nset b 1\n", ["--json"]);
  assert.deepEqual([exitCode, text], [0, '{"key":"a","version":1}\n']);
});

test("shell: lines run as they come, and not when the pipe ends", async () => {
  using directory = new TemporaryDirectory();
  await using running = new CairnProcess(["shell", "--db", directory.join("store"), "--json"], {
    stdin: null,
  });
  running.write("set a 1\n");
  await running.printed(/"version":1/);
  running.write("set a 2\n");
  await running.printed(/"version":2/);
});

test("shell: SIGTERM and Ctrl-C end a script in the middle of a command", async () => {
  for (const [signal, exitCode] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    using directory = new TemporaryDirectory();
    await using running = new CairnProcess(["shell", "--db", directory.join("store")], {
      stdin: null,
    });
    running.write("set a 1\nset b 1\nwatch --since 0\nset c 1\n");
    await running.printed(/set b/);
    const result = await running.stop(signal);
    assert.deepEqual([result.exitCode, result.stderr], [exitCode, ""]);
    assert.equal((await shell(directory, "list\n")).text, "a\nb\n");
  }
});

test("shell: a reader that has enough ends it without a word", async () => {
  using directory = new TemporaryDirectory();
  const script = 'yes "set a 1 --json" | "$CAIRN" shell --db "$DB" | head -n 2';
  const { text, stderr } = await runShell(script, { env: { DB: directory.join("store") } });
  assert.equal(stderr, "");
  assert.equal(text.split("\n").length, 3);
});

test("shell: standard input that is no text, or cannot be read", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  await cairn(["set", "a", "1", "--db", db]);
  const malformed = new Uint8Array([...new TextEncoder().encode("get a "), 0xff, 0x0a]);
  const options = { stdin: malformed };
  assert.match(await cairnFails(2, ["shell", "--db", db], options), /line 1: .*not valid UTF-8/);
  const result = await runShell('"$CAIRN" shell --keep-going --db "$DB" < /', { env: { DB: db } });
  assert.equal(result.exitCode, 6);
  assert.match(result.stderr, /^cairn: line 1: cannot read standard input: it is a directory\n$/);
});

test("shell: an unreachable server, and one line about it", async () => {
  const error = await cairnFails(3, ["shell", "--url", "http://127.0.0.1:1"], { stdin: "stats\n" });
  assert.match(error, /line 1: cannot reach http:\/\/127\.0\.0\.1:1/);
});

test("lines: pieces of any size, ends of both kinds, and a last one without", async () => {
  const bytes = new TextEncoder().encode("\ufeffone\ntwo 日本\r\n\n\ufefffour");
  for (const size of [1, 2, 3, 7, 100]) {
    let at = 0;
    const lines = new PlainLines(undefined, () => {
      at += size;
      return Promise.resolve(bytes.subarray(at - size, at));
    });
    const read: (string | undefined)[] = [];
    do read.push(await lines.read("")); while (read.at(-1) !== undefined);
    assert.deepEqual(read, ["one", "two 日本\r", "", "\ufefffour", undefined]);
  }
});

test("history: only a limited number of lines, in a file for its owner", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("state/cairn/history");
  const first = new History(path);
  for (let at = 0; at < 2 * HISTORY_LINES_MAX + 1; at++) first.add(`get ${at}`);
  first.add(`get ${2 * HISTORY_LINES_MAX}`); // the same again
  const second = new History(path);
  assert.equal(second.lines.length, HISTORY_LINES_MAX);
  assert.equal(second.lines.at(-1), `get ${2 * HISTORY_LINES_MAX}`);
  assert.equal(readFileSync(path, "utf8").split("\n").length, HISTORY_LINES_MAX + 1);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(second.problem, undefined);
});

test("history: one that others could read is made private, and what is no file is left alone", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("history");
  writeFileSync(path, "get a\n", { mode: 0o644 });
  assert.deepEqual(new History(path).lines, ["get a"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  mkdirSync(directory.join("directory"));
  const none = new History(directory.join("directory"));
  none.add("get b");
  assert.deepEqual([none.lines, none.problem !== undefined], [[], true]);
});

test("history: where it is", () => {
  assert.equal(historyPath({ XDG_STATE_HOME: "/s", HOME: "/h" }), "/s/cairn/history");
  assert.equal(
    historyPath({ XDG_STATE_HOME: "relative", HOME: "/h" }),
    "/h/.local/state/cairn/history",
  );
  assert.equal(historyPath({ HOME: "/h" }), "/h/.local/state/cairn/history");
});
