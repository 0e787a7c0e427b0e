/** Every command, given what it cannot use: the promised exit code, and one line that says so. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  assertOneLineError,
  cairn,
  cairnFails,
  runCairn,
  runInTerminal,
  runShell,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const LONG_NAME = "n".repeat(300);
const LONG_KEY = "k".repeat(65_537);
const COMMANDS = [
  ...["serve", "set", "get", "del", "list", "import", "export", "watch", "stats", "flush"],
  ...["compact", "verify", "repair", "inspect", "backup", "restore", "bench", "version", "help"],
];

/** A directory with a store `s`, a file `f`, and a directory `d` that holds none. */
async function workplace(): Promise<TemporaryDirectory> {
  const directory = new TemporaryDirectory();
  await cairn(["set", "a", "1", "--db", directory.join("s")]);
  writeFileSync(directory.join("f"), "junk\n");
  mkdirSync(directory.join("d"));
  return directory;
}

test("an option that no command has: exit code 2, of every command", async () => {
  await Promise.all(COMMANDS.map(async (name) => {
    const args = name === "repair" ? ["--out", "x"] : [];
    assert.match(await cairnFails(2, [name, ...args, "--nowhere"]), /unknown option '--nowhere'/);
  }));
});

const S = ["--db", "s"];
const PATHS: [exitCode: number, args: string[], message: RegExp][] = [
  [6, ["export", "d", ...S], /cannot write d: it is a directory/],
  [6, ["export", "f/x", ...S], /f\/x: part of the path is not a directory/],
  [6, ["export", "no/x", ...S], /cannot write no\/x: no such file/],
  [6, ["export", LONG_NAME, ...S], /a name in it is too long/],
  [6, ["get", "a", "--out", "d", ...S], /cannot write d: it is a directory/],
  [6, ["get", "a", "--out", "f/x", ...S], /cannot look at f\/x: part of the path/],
  [6, ["get", "a", "--out", "no/x", ...S], /cannot write no\/x: no such file/],
  [6, ["import", "d", ...S], /cannot read "d": it is a directory/],
  [6, ["import", "no", ...S], /cannot read "no": no such file/],
  [6, ["import", LONG_NAME, ...S], /a name in it is too long/],
  [2, ["import", "f", ...S], /line 1 of "f" .* not JSON/],
  [6, ["import", "f", "--resume", "d", ...S], /cannot read d: it is a directory/],
  [2, ["backup", "f", ...S], /not a directory/],
  [6, ["backup", "f/x", ...S], /not a directory/],
  [2, ["backup", "s/wal/x", ...S], /lies in, the store s/],
  [4, ["restore", "f", "--db", "new"], /no backup/],
  [6, ["restore", "d", "--db", "new"], /holds no store/],
  [6, ["restore", "no", "--db", "new"], /no backup in no/],
  [6, ["restore", "f/x", "--db", "new"], /part of the path/],
  [2, ["restore", "s", "--db", "f"], /not a directory/],
  [6, ["restore", "s", "--db", "f/x"], /not a directory/],
  [6, ["inspect", "d"], /is a directory/],
  [6, ["inspect", "no"], /no such file/],
  [2, ["repair", "--out", "f", ...S], /not a directory/],
  [6, ["verify", "--db", "d"], /holds no store/],
  [6, ["verify", "--db", "f/x"], /cannot look at f\/x: part of the path/],
  [6, ["list", "--db", "d"], /holds no store/],
  [6, ["list", "--db", "f/x"], /cannot look at f\/x: part of the path/],
  [6, ["stats", "--db", LONG_NAME], /cannot look at n+: a name in it is too long/],
  [6, ["set", "a", "1", "--db", "f/x"], /f is not a directory/],
  [6, ["serve", "--db", "f", "--http", "127.0.0.1:0", "--no-tcp"], /f is a file/],
  [2, ["list", "--url", "http://127.0.0.1:1", "--token-file", "d"], /"d" is a directory/],
  [2, ["list", "--url", "http://127.0.0.1:1", "--token-file", "no"], /"no": no such file/],
  [2, ["list", "--url", "http://127.0.0.1:99999"], /address of a server/],
  [2, ["list", "--url", "http://[::1"], /address of a server/],
  [
    3,
    ["list", "--url", "http://no-such-name.invalid"],
    /the name no-such-name.invalid is not known/,
  ],
];

test("paths and addresses where nothing is, or something else", async () => {
  using directory = await workplace();
  for (const [exitCode, args, message] of PATHS) {
    assert.match(
      await cairnFails(exitCode, args, { cwd: directory.path }),
      message,
      args.join(" "),
    );
  }
  assert.deepEqual(readdirSync(directory.path).sort(), ["d", "f", "s"]);
  assert.deepEqual(readdirSync(directory.join("d")), []);
});

test("keys that are none: exit code 2, on a directory and on a server", async () => {
  using directory = await workplace();
  await using server = await startServer(directory.join("served"));
  for (const place of [["--db", directory.join("s")], ["--url", server.url]]) {
    for (const key of ["", LONG_KEY]) {
      const args = [["get", key], ["set", key, "1"], ["del", key], [
        "set",
        key,
        "--ttl",
        "1s",
        "1",
      ]];
      for (const each of args) {
        assert.match(await cairnFails(2, [...each, ...place]), /empty|65,?536/, each[0]);
      }
    }
    for (const option of ["--prefix", "--start", "--end"]) {
      await cairnFails(2, ["list", option, LONG_KEY, ...place]);
    }
    // Odd, but keys.
    for (const key of ["-x", "--json", "a\nb", "\u202e", " "]) {
      await cairn(["set", ...place, "--", key, "1"]);
      assert.equal((await cairn(["get", ...place, "--", key])).text, "1");
      await cairn(["del", ...place, "--", key]);
      assert.doesNotMatch(await cairnFails(1, ["get", ...place, "--", key]), /\u202e/);
    }
  }
});

test("arguments that are not UTF-8: exit code 2, of every command", async () => {
  const script = (name: string) => `"$CAIRN" ${name} "$(printf 'x\\377')"`;
  for (const name of COMMANDS) {
    const result = await runShell(script(name));
    assertOneLineError(result, 2);
    assert.match(result.stderr, /not valid UTF-8/);
  }
});

test("a reader that closes early is no error, of any command that prints", async () => {
  using directory = await workplace();
  const lines = Array.from({ length: 5000 }, (_, index) => `{"key":"key-${index}","value":"v"}\n`);
  await cairn(["import", "-", "--db", directory.join("s")], { stdin: lines.join("") });
  const commands = [
    ...["list --db s", "list --json --values --db s", "export - --db s", "watch --since 0 --db s"],
    ...["stats --db s", "inspect s/wal/0000000001.log", "verify --db s", "help", "version"],
  ];
  for (const command of commands) {
    // The reader is gone before the first line comes.
    const script = `{ sleep 0.1; "$CAIRN" ${command}; echo "exit $?" >&2; } | true`;
    const { stderr } = await runShell(script, { cwd: directory.path });
    assert.match(stderr, /^(?:Exported [^\n]*\n)?exit 0\n$/, command);
  }
});

test("terminal: an archive cannot be typed, and nothing waits for it", async () => {
  using directory = new TemporaryDirectory();
  const env = { TERM: "xterm", DB: directory.join("new") };
  const shown = await runInTerminal('"$CAIRN" restore - --db "$DB"', { env, stdin: null });
  if (shown === undefined) return;
  assert.equal(shown.exitCode, 2);
  assert.match(shown.text, /pipe it in/);
});

test("a system that refuses what nobody expects it to: exit code 6", async () => {
  using directory = await workplace();
  // Not one more file can be opened than the runtime has open from the start.
  const script = 'ulimit -n 20; exec "$CAIRN" import f --db s';
  const result = await runShell(script, { cwd: directory.path });
  assert(result.exitCode !== 70, result.stderr);
  assert.equal((await runCairn(["list", "--db", "s"], { cwd: directory.path })).text, "a\n");
});
