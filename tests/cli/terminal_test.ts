import assert from "node:assert/strict";
import { test } from "node:test";
import { cairn, cairnFails, runInTerminal } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const RED = "\x1b[31m";

/** A store with a key and a value that would meddle with a terminal. */
async function hostileStore(directory: TemporaryDirectory): Promise<{ DB: string; TERM: string }> {
  await cairn(["set", "--db", directory.path, "key\x1b[2J\n\u202e", "value\x07\r"]);
  return { DB: directory.path, TERM: "xterm" };
}

test("terminal: what is listed cannot move the cursor; through a pipe it is exact", async () => {
  using directory = new TemporaryDirectory();
  const env = await hostileStore(directory);
  const shown = await runInTerminal('"$CAIRN" list --values --db "$DB"', { env });
  if (shown === undefined) return;
  assert.equal(shown.text, "key\\x1b[2J\\n\\u202e\tvalue\\x07\\r\r\n");
  const piped = await runInTerminal('"$CAIRN" list --db "$DB" | cat -v', { env });
  assert.equal(piped?.text, "key^[[2J\r\nM-bM-^@M-.\r\n");
});

test("terminal: get adds a line break, and none elsewhere", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "--db", directory.path, "a", "1"]);
  const env = { DB: directory.path, TERM: "xterm" };
  const shown = await runInTerminal('"$CAIRN" get a --db "$DB"', { env });
  if (shown === undefined) return;
  assert.equal(shown.text, "1\r\n");
});

test("terminal: set without a value asks for one instead of waiting", async () => {
  using directory = new TemporaryDirectory();
  const env = { DB: directory.path, TERM: "xterm" };
  const shown = await runInTerminal('"$CAIRN" set a --db "$DB"', { env });
  if (shown === undefined) return;
  assert.equal(shown.exitCode, 2);
  assert.match(shown.text, /the value is missing/);
});

test("terminal: colours, but not with NO_COLOR, on a dumb terminal, or elsewhere", async () => {
  using directory = new TemporaryDirectory();
  const script = '"$CAIRN" get a --db "$DB/missing"';
  const base = { DB: directory.path, TERM: "xterm" };
  const coloured = await runInTerminal(script, { env: base });
  if (coloured === undefined) return;
  assert(coloured.text.startsWith(`${RED}cairn:`), coloured.text);
  for (const env of [{ ...base, NO_COLOR: "1" }, { ...base, TERM: "dumb" }]) {
    const plain = await runInTerminal(script, { env });
    assert(plain?.text.startsWith("cairn: there is no store"), plain?.text);
  }
  const elsewhere = await cairnFails(6, ["get", "a", "--db", directory.join("missing")]);
  assert(!elsewhere.includes("\x1b"));
});

test("errors: a key in a message cannot break the line", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "--db", directory.path, "a", "1"]);
  const error = await cairnFails(1, ["get", "--db", directory.path, "x\n\x1b[31mfake: ok"]);
  assert.match(error, /"x\\n\\x1b\[31mfake: ok"/);
});
