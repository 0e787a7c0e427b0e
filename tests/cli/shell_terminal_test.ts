/** The shell as a person at a terminal has it: keys, prompts, signals. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { cairn, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { noTerminal, TerminalSession } from "../support/terminal_session.ts";
import { testUnless } from "../support/test_unless.ts";

const PROMPT = "cairn> ";
const CTRL_A = "\x01";
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_Z = "\x1a";
const UP = "\x1b[A";
const LEFT = "\x1b[D";
const BACKSPACE = "\x7f";

async function begin(directory: TemporaryDirectory, args = '--db "$DB"', env = {}) {
  const shell = new TerminalSession(
    `exec "$CAIRN" shell ${args}`,
    { DB: directory.join("store"), ...env },
    directory.path,
  );
  await shell.shows(PROMPT);
  return shell;
}

/**
 * Runs a line to its end. What is pressed while a command runs is the terminal's: there, keys have
 * other meanings.
 */
async function run(shell: TerminalSession, keys: string, pattern: RegExp | string = "") {
  await shell.answers(keys, pattern);
  await shell.shows(PROMPT);
}

async function storeWith(directory: TemporaryDirectory, entries: Record<string, string>) {
  const db = directory.join("store");
  for (const [key, value] of Object.entries(entries)) await cairn(["set", key, value, "--db", db]);
  return db;
}

const history = (directory: TemporaryDirectory) => directory.join(".local/state/cairn/history");

testUnless(noTerminal(), "shell: the first lines say where one is, and how to go on", async () => {
  using directory = new TemporaryDirectory();
  await using empty = await begin(directory);
  assert.match(empty.text, /Cairn \S+ in \S+store: there is no store yet, and 'set' begins one\n/);
  assert.match(empty.text, /'help' lists the commands/);
  assert(!existsSync(directory.join("store")));
  await run(empty, "set a 1\r");
  await run(empty, "get a\r", /\n1\n/);
  empty.type(CTRL_D);
  assert.equal(await empty.ended(), 0);
  await using second = await begin(directory);
  assert.match(second.text, /store: 1 key\n/);
});

testUnless(
  noTerminal(),
  "shell: commands as on the command line, and errors do not end it",
  async () => {
    using directory = new TemporaryDirectory();
    await using shell = await begin(directory);
    await run(shell, "set greeting 'hello  world' --ttl 1h\r");
    await run(shell, "cairn get greeting\r", "\nhello  world\n");
    await run(shell, 'get "greeting" --json\r', /\{"key":"greeting","value":"hello {2}world",/);
    await run(shell, "get nothing\r", 'cairn: there is no key "nothing" in ');
    await run(shell, "gte a\r", "unknown command 'gte' (Did you mean get?)");
    await run(shell, "list --prefx a\r", "(Did you mean --prefix?)");
    await run(shell, "set a\r", "the value is missing");
    await run(shell, "import -\r", "name a file to import");
    await run(shell, "serve\r", "'serve' is not for use inside a shell");
    await run(shell, "list --db other\r", "--db is for the command line");
    await run(shell, "help list\r", "print keys in byte order");
    await run(shell, "stats\r", /keys +1, of which 1 will expire\n/);
    await run(shell, "verify\r", /Sound: /);
    shell.type("quit\r");
    assert.equal(await shell.ended(), 0);
  },
);

testUnless(noTerminal(), "shell: it is written to by nobody else, and says how else", async () => {
  using directory = new TemporaryDirectory();
  await using shell = await begin(directory, '--db "$DB"');
  await run(shell, "set a 1\r");
  await using other = new TerminalSession('exec "$CAIRN" shell --db "$DB"', {
    DB: directory.join("store"),
  }, directory.path);
  assert.equal(await other.ended(), 5);
  assert.match(other.text, /cairn: the store in \S+ is in use by process \d+ \(cairn\)/);
});

testUnless(noTerminal(), "shell: keys edit the line, wide characters too", async () => {
  using directory = new TemporaryDirectory();
  await using shell = await begin(directory);
  await run(shell, `et k ac${LEFT}b${CTRL_A}s\r`);
  await run(shell, "get k\r", "\nabc\n");
  await run(shell, `set w 日本${LEFT}語x${BACKSPACE}\r`);
  await run(shell, "get w\r", "\n日語本\n");
  await run(shell, `set e a😀b${LEFT}${BACKSPACE}\r`);
  await run(shell, "get e\r", "\nab\n");
  const long = "l".repeat(300);
  await run(shell, `set long ${long}\r`);
  await run(shell, "get long --json\r", `"value":"${long}"`);
});

testUnless(noTerminal(), "shell: lines pasted together run one after the other", async () => {
  using directory = new TemporaryDirectory();
  await using shell = await begin(directory);
  shell.type("set a 1\nset b 'two\nlines'\nget b\nset t a\tb\nget t --json\n");
  await shell.shows("cairn> get b\ntwo\nlines\ncairn> ");
  // A tab that is pasted completes nothing.
  await shell.shows(/too many arguments|"value"/);
  await run(shell, "list\r", /\na\nb\n/);
});

testUnless(noTerminal(), "shell: Tab completes commands, options, keys and files", async () => {
  using directory = new TemporaryDirectory();
  const db = await storeWith(directory, { "user:ada": "1", "two words": "2", "it's": "3" });
  writeFileSync(directory.join("dump.ndjson"), '{"key":"d","value":"4"}\n');
  assert(existsSync(db));
  await using shell = await begin(directory);
  const complete = async (typed: string, completed: string) => {
    await shell.answers(typed, typed);
    await shell.answers("\t", completed);
  };
  await complete("exp", "ort ");
  await shell.answers(CTRL_C, PROMPT);
  await complete("list --rev", "erse ");
  await shell.answers(CTRL_C, PROMPT);
  await complete("list --log-level=de", "bug ");
  await shell.answers(CTRL_C, PROMPT);
  await complete("get us", "er:ada ");
  await run(shell, "\r", "\n1\n");
  await complete("get two", "\\ words ");
  await run(shell, "\r", "\n2\n");
  await complete('get "tw', 'o words" ');
  await run(shell, "\r", "\n2\n");
  await complete("get it", "\\'s ");
  await run(shell, "\r", "\n3\n");
  await complete("import du", "mp.ndjson ");
  await run(shell, "\r", "Imported 1 record");
  await complete("help impo", "rt ");
});

testUnless(
  noTerminal(),
  "shell: two Tabs list what fits, without what could harm a terminal",
  async () => {
    using directory = new TemporaryDirectory();
    await storeWith(directory, { "k\x1b[2J": "1", "k1": "1", "k2": "1" });
    await using shell = await begin(directory);
    await shell.answers("get k", "get k");
    shell.type("\t");
    shell.type("\t");
    await shell.shows(/k1\s+k2/);
    assert(!shell.raw.includes("k\x1b[2J"));
  },
);

testUnless(noTerminal(), "shell: Ctrl-C drops a line, or a command of several", async () => {
  using directory = new TemporaryDirectory();
  await using shell = await begin(directory);
  await shell.answers("set dropped 1", "dropped 1");
  await shell.answers(CTRL_C, /\^C\ncairn> /);
  await shell.answers("set a 'one\r", "..> ");
  await shell.answers(CTRL_C, /\^C\ncairn> /);
  await run(shell, "set b 2\r");
  await run(shell, "list\r", /list\nb\n/);
});

testUnless(
  noTerminal(),
  "shell: Ctrl-C stops watch and a long list, and the shell goes on",
  async () => {
    using directory = new TemporaryDirectory();
    const lines = Array.from({ length: 100_000 }, (_, at) => `{"key":"key ${at}","value":"v"}`);
    writeFileSync(directory.join("many.ndjson"), lines.join("\n"));
    await using shell = await begin(directory);
    await run(shell, "import many.ndjson\r", "Imported 100,000 records");
    await shell.answers("watch --since 0\r", "set key 99999");
    await shell.answers(CTRL_C, /\^C\n+cairn> /);
    const before = shell.text.length;
    await shell.answers("list\r", "key 0");
    await shell.answers(CTRL_C, PROMPT);
    assert(!shell.text.slice(before).includes("\nkey 99999\n"), "it was listed to its end");
    // Nothing of it comes later.
    await run(shell, "get 'key 7'\r", /get 'key 7'\nv\n/);
  },
);

testUnless(noTerminal(), "shell: Ctrl-C ends an import where it can be gone on with", async () => {
  using directory = new TemporaryDirectory();
  const source = directory.join("source");
  await using shell = await begin(directory);
  // A pipe that nobody writes to any more.
  await using writer = new TerminalSession(
    `mkfifo ${source}; { echo '{"key":"a","value":"1"}'; echo open >&2; sleep 100; } > ${source}`,
  );
  while (!existsSync(source)) await new Promise((resolve) => setTimeout(resolve, 5));
  await shell.answers(`import ${source}\r`, "import");
  await writer.shows("open");
  await run(shell, CTRL_C, "interrupted");
  await run(shell, "set b 2\r");
  await run(shell, "get b\r", "\n2\n");
});

testUnless(
  noTerminal(),
  "shell: destructive acts ask, and any other key than y means no",
  async () => {
    using directory = new TemporaryDirectory();
    await using shell = await begin(directory);
    await run(shell, "set a 1\r");
    await run(shell, "export out.ndjson\r", "Exported 1 record");
    for (const [key, outcome] of [["n", "nothing was done"], ["\r", "nothing was done"]] as const) {
      await shell.answers("export out.ndjson\r", '"out.ndjson" exists: replace it? [y/N] ');
      await run(shell, key, outcome);
    }
    await shell.answers("export out.ndjson\r", "[y/N] ");
    await shell.answers(CTRL_C, /\^C\n+cairn> /);
    await shell.answers("export out.ndjson\r", "[y/N] ");
    await run(shell, "y", "Exported 1 record");
    await run(shell, "export out.ndjson --yes\r", "Exported 1 record");
  },
);

testUnless(
  noTerminal(),
  "shell: lines are kept for the next one, but not what may be secret",
  async () => {
    using directory = new TemporaryDirectory();
    const env = { CAIRN_TOKEN: "hunter2" };
    await using first = await begin(directory, undefined, env);
    for (
      const line of [
        "set a 1",
        " set b 2",
        "set db:password x",
        "get API_KEY",
        "get hunter2",
        "get a",
      ]
    ) await run(first, `${line}\r`);
    first.type(CTRL_D);
    await first.ended();
    assert.equal(readFileSync(history(directory), "utf8"), "set a 1\nget a\n");
    assert.equal(statSync(history(directory)).mode & 0o777, 0o600);
    assert.equal(statSync(directory.join(".local/state/cairn")).mode & 0o777, 0o700);
    await using second = await begin(directory);
    await second.answers(`${UP}${UP}`, "set a 1");
    await run(second, "0\r");
    await run(second, "get a\r", "\n10\n");
  },
);

testUnless(
  noTerminal(),
  "shell: it works without a place for its history, and says so",
  async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.join("state"), "");
    await using shell = await begin(directory, undefined, {
      XDG_STATE_HOME: directory.join("state"),
    });
    assert.match(shell.text, /Lines are not kept for later: \S+/);
    await run(shell, "set a 1\r");
    await run(shell, `${UP}0\r`);
    await run(shell, "get a\r", "\n10\n");
  },
);

testUnless(noTerminal(), "shell: XDG_STATE_HOME says where lines are kept", async () => {
  using directory = new TemporaryDirectory();
  const state = directory.join("elsewhere");
  mkdirSync(state);
  await using shell = await begin(directory, undefined, { XDG_STATE_HOME: state });
  await run(shell, "set a 1\r");
  assert.equal(readFileSync(`${state}/cairn/history`, "utf8"), "set a 1\n");
});

testUnless(noTerminal(), "shell: a signal ends it, and the terminal is as it was", async () => {
  using directory = new TemporaryDirectory();
  for (const [signal, exitCode] of [["TERM", 143], ["HUP", 129]] as const) {
    await using shell = new TerminalSession(
      `sh -c 'echo pid $$; exec "$CAIRN" shell --db "$DB"'; echo "code $?"; stty -a`,
      { DB: directory.join(`store ${signal}`) },
      directory.path,
    );
    const pid = Number((await shell.shows(/pid (\d+)/))[1]);
    await shell.shows(PROMPT);
    await run(shell, "set a 1\r");
    process.kill(pid, `SIG${signal}`);
    await shell.shows(`code ${exitCode}`);
    await shell.shows(/[^-]icanon/);
    await shell.shows(/[^-]echo /);
  }
});

testUnless(noTerminal(), "shell: Ctrl-Z stops it, and fg brings the line back", async () => {
  using directory = new TemporaryDirectory();
  await using outer = new TerminalSession("exec bash --norc --noprofile -i", {
    DB: directory.join("store"),
  }, directory.path);
  await outer.answers('"$CAIRN" shell --db "$DB"\r', PROMPT);
  await outer.answers("set a 1", "set a 1");
  await outer.answers(CTRL_Z, "Stopped");
  await outer.answers("fg\r", "cairn> set a 1");
  await outer.answers("2", "2");
  await run(outer, "3\r");
  await run(outer, "get a\r", "\n123\n");
});

testUnless(noTerminal(), "shell: on a server, with its keys", async () => {
  using directory = new TemporaryDirectory();
  const db = await storeWith(directory, { "user:ada": "1" });
  await using server = await startServer(db);
  await using shell = await begin(directory, `--url ${server.url}`);
  assert.match(shell.text, /Cairn \S+ at http:\S+: 1 key\n/);
  await shell.answers("get us", "us");
  await shell.answers("\t", "er:ada ");
  await run(shell, "\r", "\n1\n");
  await run(shell, "verify\r", "'verify' is not for use inside a shell on this store");
  await shell.answers("watch --since 0\r", "set user:ada");
  await shell.answers(CTRL_C, /\^C\n+cairn> /);
  await run(shell, "export out.ndjson\r", "Exported 1 record");
  await server.stop();
  await run(shell, "get user:ada\r", "cairn: cannot reach http:");
  shell.type("exit\r");
  assert.equal(await shell.ended(), 0);
});

testUnless(
  noTerminal(),
  "shell: no colours with NO_COLOR, no editing on a dumb terminal",
  async () => {
    using directory = new TemporaryDirectory();
    await using plain = await begin(directory, undefined, { NO_COLOR: "1" });
    await plain.answers("get a\r", "cairn: there is no store");
    assert(!plain.raw.includes("\x1b[31m"));
    await using dumb = await begin(directory, undefined, { TERM: "dumb" });
    await dumb.answers("set a 1\n", PROMPT);
    await dumb.answers("get a\n", "1\n");
    assert(!dumb.raw.includes("\x1b"));
    dumb.type(CTRL_D);
    assert.equal(await dumb.ended(), 0);
  },
);

testUnless(
  noTerminal(),
  "shell: what a person types is not what is written to a file",
  async () => {
    using directory = new TemporaryDirectory();
    await using shell = await begin(directory, '--db "$DB" > out');
    await run(shell, "set a 1\r");
    await run(shell, "get a\r");
    shell.type(CTRL_D);
    await shell.ended();
    assert.equal(readFileSync(directory.join("out"), "utf8"), "1");
  },
);

testUnless(noTerminal(), "shell: bytes that are not UTF-8 are refused", async () => {
  using directory = new TemporaryDirectory();
  await using shell = await begin(directory);
  shell.type(new Uint8Array([...new TextEncoder().encode("set a "), 0xff, 0x0d]));
  await shell.shows("not valid UTF-8");
  await run(shell, "set b 日本\r");
  await run(shell, "list\r", /list\nb\n/);
});
