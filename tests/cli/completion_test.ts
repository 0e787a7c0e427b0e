/** What the scripts of `cairn completion` are answered, and what the Tab key does in real shells. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { CAIRN, cairn, cairnFails, runCairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { noTerminal, TerminalSession } from "../support/terminal_session.ts";
import { testUnless } from "../support/test_unless.ts";

const BREAKS = " \t\n\"'@><=;|&(:";
const KEYS = ["user:ada", "user:bob", "two words", "it's", "$(touch hacked)", "mail@x.org", "k=v"];

async function storeWith(directory: TemporaryDirectory, keys: readonly string[]): Promise<string> {
  const db = directory.join("store");
  const lines = keys.map((key) => JSON.stringify({ key, value: `value of ${key}` })).join("\n");
  await cairn(["import", "-", "--db", db], { stdin: lines });
  return db;
}

/** What bash is told: the kind, and what comes of it. */
async function forBash(line: string, env: Record<string, string> = {}): Promise<string[]> {
  const { text } = await cairn(["completion", "bash", "--", BREAKS, line], { env });
  return text.split("\n").slice(0, -1);
}

test("completion: commands, options, their values and arguments", async () => {
  const commands = await forBash("cairn ");
  for (const name of ["set", "get", "shell", "completion", "help"]) assert(commands.includes(name));
  assert.deepEqual(await forBash("cairn ex"), ["words", "export"]);
  assert.deepEqual(await forBash("cairn help stat"), ["words", "stats"]);
  assert.deepEqual(await forBash("cairn --json wa"), ["words", "watch"]);
  assert.deepEqual(await forBash("cairn list --re"), ["words", "--reverse"]);
  assert.deepEqual(await forBash("cairn list --reverse --re"), ["words"]);
  assert.deepEqual(await forBash("cairn list --js"), ["words", "--json"]);
  assert.deepEqual(await forBash("cairn list --log-level d"), ["words", "debug"]);
  assert.deepEqual(await forBash("cairn list --log-level=de"), ["words", "debug"]);
  assert.deepEqual(await forBash("cairn import --on-error "), ["words", "stop", "skip"]);
  assert.deepEqual(await forBash("cairn serve --durability im"), ["words", "immediate"]);
  assert.deepEqual(await forBash("cairn completion f"), ["words", "fish"]);
  assert.deepEqual(await forBash("cairn list --limit "), ["words"]);
  assert.deepEqual(await forBash("cairn set a -- --t"), ["words"]);
  assert.deepEqual(await forBash("cairn list a"), ["words"]);
});

test("completion: names of files and directories are left to the shell", async () => {
  assert.deepEqual(await forBash("cairn import du"), ["files"]);
  assert.deepEqual(await forBash("cairn get a --out "), ["files"]);
  assert.deepEqual(await forBash("cairn list --token-file="), ["files"]);
  assert.deepEqual(await forBash("cairn --db "), ["directories"]);
  assert.deepEqual(await forBash("cairn backup "), ["directories"]);
  assert.deepEqual(await forBash("cairn repair --out "), ["directories"]);
});

test("completion: keys of a directory, quoted so that nothing is run or divided", async () => {
  using directory = new TemporaryDirectory();
  const env = { CAIRN_DB: await storeWith(directory, KEYS) };
  assert.deepEqual(await forBash("cairn get user:", env), ["words", "ada", "bob"]);
  assert.deepEqual(await forBash("cairn del user:ada u", env), ["words", "user:bob"]);
  assert.deepEqual(await forBash("cairn set mail@", env), ["words", "@x.org"]);
  assert.deepEqual(await forBash("cairn get k=", env), ["words", "v"]);
  assert.deepEqual(await forBash("cairn get tw", env), ["words", "two\\ words"]);
  assert.deepEqual(await forBash('cairn get "tw', env), ["words", "two words"]);
  assert.deepEqual(await forBash("cairn get two\\ w", env), ["words", "two\\ words"]);
  assert.deepEqual(await forBash("cairn get \\$", env), ["words", "\\$\\(touch\\ hacked\\)"]);
  assert.deepEqual(await forBash('cairn get "\\$', env), ["words", "\\$(touch hacked)"]);
  assert.deepEqual(await forBash("cairn list --prefix user:a", env), ["words", "ada"]);
  assert.deepEqual(await forBash("cairn list --start it", env), ["words", "it\\'s"]);
  assert.deepEqual(await forBash("cairn set user:ada ", env), ["words"]);
  const named = `cairn --db ${env.CAIRN_DB} get user:a`;
  assert.deepEqual(await forBash(named), ["words", "ada"]);
});

test("completion: of many keys some, which have in common what all of them have", async () => {
  using directory = new TemporaryDirectory();
  const keys = Array.from({ length: 500 }, (_, at) => `key:${String(at).padStart(4, "0")}`);
  const env = { CAIRN_DB: await storeWith(directory, [...keys, "key:z"]) };
  const [, ...found] = await forBash("cairn get ke", env);
  assert(found.length > 50 && found.length < 150);
  assert.deepEqual([found[0], found.at(-1)], ["key:0000", "key:z"]);
});

test("completion: keys of a server, and none where there is no answer", async () => {
  using directory = new TemporaryDirectory();
  const db = await storeWith(directory, KEYS);
  writeFileSync(directory.join("token"), "a-token-of-some-length-0123456789\n", { mode: 0o600 });
  await using server = await startServer(db, ["--token-file", directory.join("token")]);
  const env = { CAIRN_URL: server.url, CAIRN_TOKEN: "a-token-of-some-length-0123456789" };
  assert.deepEqual(await forBash("cairn get user:", env), ["words", "ada", "bob"]);
  assert.deepEqual(await forBash("cairn get u", { CAIRN_URL: server.url }), ["words"]);
  assert.deepEqual(await forBash("cairn get u", { CAIRN_URL: "http://127.0.0.1:1" }), ["words"]);
  assert.deepEqual(await forBash("cairn get u", { CAIRN_DB: directory.join("none") }), ["words"]);
  assert.deepEqual(await forBash("cairn get u", { CAIRN_DB: directory.path }), ["words"]);
  assert.deepEqual(await forBash("cairn --db '' get u"), ["words"]);
});

test("completion: a directory that takes long to open is not opened", async () => {
  using directory = new TemporaryDirectory();
  const db = await storeWith(directory, ["a"]);
  assert.deepEqual(await forBash("cairn get ", { CAIRN_DB: db }), ["words", "a"]);
  writeFileSync(`${db}/wal/9999999999.log`, "");
  spawnSync("truncate", ["-s", "100M", `${db}/wal/9999999999.log`]);
  assert.deepEqual(await forBash("cairn get ", { CAIRN_DB: db }), ["words"]);
});

test("completion: zsh and fish get what a word is for, PowerShell also how to quote it", async () => {
  using directory = new TemporaryDirectory();
  const env = { CAIRN_DB: await storeWith(directory, KEYS) };
  const answer = async (...args: string[]) =>
    (await cairn(["completion", ...args], { env })).text.split("\n").slice(0, -1);
  assert.deepEqual(await answer("zsh", "--", "get", "tw"), ["words", "two words\t"]);
  assert.deepEqual(await answer("zsh", "--", "list", "--rev"), [
    "words",
    "--reverse\tfrom the last to the first",
  ]);
  assert.deepEqual(await answer("fish", "--", "cairn get 'tw"), ["words", "two words\t"]);
  assert.deepEqual(await answer("powershell", "--", ":get", ":it"), [
    "words",
    "'it''s'\tit's\tit's",
  ]);
  assert.deepEqual(await answer("powershell", "--", ":get", ":'tw"), [
    "words",
    "'two words'\ttwo words\ttwo words",
  ]);
  assert.equal((await answer("powershell", "--", ":get", ":")).length, 1 + KEYS.length);
});

test("completion: what is no shell", async () => {
  assert.match(await cairnFails(2, ["completion", "tcsh"]), /choices are bash, zsh, fish, power/);
  assert.match(await cairnFails(2, ["completion"]), /missing required argument 'shell'/);
});

test("completion: the script for PowerShell has the shape of one", async () => {
  const { text } = await cairn(["completion", "powershell"]);
  assert.match(text, /^Register-ArgumentCompleter -Native -CommandName cairn -ScriptBlock \{$/m);
  assert.match(text, /param\(\$wordToComplete, \$commandAst, \$cursorPosition\)/);
  for (const [open, close] of ["{}", "()", "[]"] as unknown as [string, string][]) {
    assert.equal(text.split(open).length, text.split(close).length, `${open} ${close}`);
  }
  assert.equal(text.split("'").length % 2, 1);
});

const SHELLS: Record<string, { start: string; load: string; check: string[] }> = {
  bash: {
    start: "exec bash --norc --noprofile -i",
    load: "PS1='ready> '; bind 'set bell-style none'; source <(cairn completion bash)",
    check: ["-n"],
  },
  zsh: {
    start: "exec zsh -f -i",
    load: "PS1='ready> '; autoload -Uz compinit; compinit -u -D; source <(cairn completion zsh)",
    check: ["-n"],
  },
  fish: {
    start: "exec fish --private --no-config",
    load: "function fish_prompt; echo 'ready> '; end; cairn completion fish | source",
    check: ["--no-execute"],
  },
};

function missing(shell: string): string | undefined {
  return spawnSync(shell, ["--version"]).error === undefined ? undefined : `no ${shell} here`;
}

for (const [name, { start, load, check }] of Object.entries(SHELLS)) {
  testUnless(missing(name), `completion: ${name} can read its script`, async () => {
    using directory = new TemporaryDirectory();
    const { text } = await runCairn(["completion", name]);
    writeFileSync(directory.join("script"), text);
    const { status, stderr } = spawnSync(name, [...check, directory.join("script")]);
    assert.equal(status, 0, String(stderr));
  });

  testUnless(missing(name) ?? noTerminal(), `completion: the Tab key in ${name}`, async () => {
    using directory = new TemporaryDirectory();
    const db = await storeWith(directory, KEYS);
    writeFileSync(directory.join("dump file.ndjson"), '{"key":"new","value":"1"}\n');
    mkdirSync(directory.join("directory"));
    await using shell = new TerminalSession(start, {
      PATH: `${dirname(CAIRN)}:${process.env["PATH"]}`,
      CAIRN_DB: db,
      XDG_DATA_HOME: directory.path,
    }, directory.path);
    // What is typed before a shell has come up is lost in some.
    await shell.answers("", /[$#%>] ?/);
    await shell.answers(`${load}; echo load""ed\r`, /loaded\n/);
    await shell.shows("ready> ");
    const press = async (typed: string, shown: string | RegExp) => {
      await shell.answers(`${typed}\t\r`, shown);
      await shell.shows("ready> ");
    };
    await press("cairn vers", /\ncairn \d+\.\d+\.\d+ \(/);
    await press("cairn get user:a", /\nvalue of user:ada/);
    await press("cairn get tw", /\nvalue of two words/);
    await press('cairn get "tw', /\nvalue of two words/);
    await press("cairn get 'two w", /\nvalue of two words/);
    await press("cairn get it", /\nvalue of it's/);
    await press("cairn get '$(", /\nvalue of \$\(touch hacked\)/);
    await press("cairn get mail@", /\nvalue of mail@x\.org/);
    await press("cairn get k=", /\nvalue of k=v/);
    await press("cairn list --rev", /\nuser:bob\nuser:ada\n/);
    await press("cairn list --log-level=si", /\nuser:ada\nuser:bob\n/);
    await press("cairn import dum", /Imported 1 record/);
    await press("cairn list --db=stor", /\nuser:ada\nuser:bob\n/);
    await press("cairn --db dire", /Usage: cairn/);
    assert(!readdirSync(directory.path).includes("hacked"));
    assert(existsSync(db));
  });
}
