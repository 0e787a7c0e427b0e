import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { cairn, cairnFails, runCairn, runShell } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const usageMistakes: [args: string[], message: RegExp][] = [
  [["gte", "a"], /unknown command 'gte' \(Did you mean get\?\); see 'cairn help'$/m],
  [["help", "gte"], /there is no command "gte"/],
  [["get", "--oout", "f", "a"], /unknown option '--oout' \(Did you mean --out\?\)/],
  [["get"], /missing required argument 'key'; see 'cairn help get'$/m],
  [["get", "set", "--oout", "f"], /\(Did you mean --out\?\); see 'cairn help get'$/m],
  [["get", "a", "b"], /too many arguments.*Expected 1 argument but got 2/],
  [["del"], /missing required argument 'key'/],
  [["set", "-x", "1"], /unknown option '-x'/],
  [["set", "a", "1", "--ttl"], /argument missing/],
  [["set", "a", "1", "--ttl", "90"], /'90' is invalid.*500ms, 90s/],
  [["set", "a", "1", "--ttl", "0s"], /'0s' is invalid/],
  [["set", "a", "1", "--ttl", "-5s"], /'-5s' is invalid/],
  [["set", "a", "1", "--ttl", "1.5h"], /'1.5h' is invalid/],
  [["set", "a", "1", "--ttl", "9999999999999999d"], /is invalid/],
  [["set", "a", "1", "--if-version", "x"], /'x' is invalid.*whole number/],
  [["set", "a", "1", "--if-version", "1.5"], /'1.5' is invalid/],
  [["set", "a", "1", "--if-absent", "--if-version", "1"], /cannot be used with/],
  [["list", "--limit", "-1"], /'-1' is invalid/],
  [["list", "--limit", "1e3"], /'1e3' is invalid/],
  [["list", "--start", ""], /must not be empty/],
  [["list", "--log-level", "loud"], /Allowed choices are debug, info/],
  [["serve", "--http", "8620"], /HOST:PORT/],
  [["serve", "--http", "127.0.0.1:99999"], /HOST:PORT/],
  [["serve", "--http", "0.0.0.0:8620"], /other machines, which needs a token .* and TLS/],
  [["serve", "--http", "[::]:8620"], /other machines/],
  [["serve", "--http", "example.org:8620"], /other machines/],
  [["serve", "--http", "127.0.0.1.example.org:8620"], /other machines/],
  [["serve", "--host-name", "http://kv.example"], /kv\.example:8443/],
  [["serve", "--token", "hunter2"], /unknown option '--token'/],
  [["serve", "--tls-cert", "cert.pem"], /--tls-cert and --tls-key go together/],
  [["serve", "--no-tcp", "--allow-flush"], /--allow-flush .* --no-tcp .*leave one out/],
  [["serve", "--durability", "never"], /Allowed choices are immediate, batch/],
  [["serve", "--batch-millis", "5"], /go with --durability batch/],
  [["serve", "--durability", "batch", "--batch-bytes", "1"], /from 4096 to/],
  [["serve", "--segment-bytes", "4095"], /from 4096 to 1073741824/],
  [["list", "--db", ""], /must not be empty/],
  [["set", "", "1"], /key/i],
  [["set", "k".repeat(65_537), "1"], /65,?536/],
];

for (const [args, message] of usageMistakes) {
  const shown = args.map((arg) => arg.length > 20 ? `${arg.slice(0, 20)}...` : arg).join(" ");
  test(`usage: cairn ${shown}`, async () => {
    using directory = new TemporaryDirectory();
    const db = args.includes("--db") ? [] : ["--db", directory.path];
    assert.match(await cairnFails(2, [...db, ...args]), message);
  });
}

test("usage: a mistake in the options creates nothing", async () => {
  using directory = new TemporaryDirectory();
  const db = directory.join("store");
  await cairnFails(2, ["set", "a", "1", "--ttl", "soon", "--db", db]);
  assert.equal(statSync(db, { throwIfNoEntry: false }), undefined);
});

test("no command at all: help on standard error, exit code 2", async () => {
  const { exitCode, text, stderr } = await runCairn([]);
  assert.deepEqual([exitCode, text], [2, ""]);
  assert.match(stderr, /^Usage: cairn <command>/);
});

test("a key or value that is not UTF-8 is refused, not stored as something else", async () => {
  using directory = new TemporaryDirectory();
  const env = { DB: directory.path };
  const script = (args: string) => `"$CAIRN" --db "$DB" ${args}`;
  if (process.platform !== "linux") return; // elsewhere the bytes cannot be seen
  for (const args of ["set \"$(printf '\\377')\" 1", "set a \"$(printf 'x\\377')\""]) {
    const { exitCode, stderr } = await runShell(script(args), { env });
    assert.equal(exitCode, 2);
    assert.match(stderr, /^cairn: an argument is not valid UTF-8.*\n$/);
  }
  // The replacement character itself is as good a character as any.
  await cairn(["set", "\ufffd", "1", "--db", directory.path]);
  assert.equal((await cairn(["list", "--db", directory.path])).text, "\ufffd\n");
});

test("set: a value beyond 64 MiB is refused", async () => {
  using directory = new TemporaryDirectory();
  const env = { DB: directory.path };
  const script = 'head -c 67108865 /dev/zero | "$CAIRN" set big --db "$DB"';
  const { exitCode, stderr } = await runShell(script, { env });
  assert.equal(exitCode, 2);
  assert.match(stderr, /^cairn: .*67108864 bytes.*\n$/);
});

test("set: standard input that cannot be read is an I/O error", async () => {
  using directory = new TemporaryDirectory();
  const env = { DB: directory.path };
  const { exitCode, stderr } = await runShell('"$CAIRN" set a --db "$DB" < /', { env });
  assert.equal(exitCode, 6);
  assert.match(stderr, /^cairn: cannot read the value on standard input: it is a directory\n$/);
});

for (
  const args of [["get", "a"], ["list"], ["stats"], ["verify"], ["del", "a"], ["compact"]]
) {
  test(`a directory that does not exist: ${args[0]} says so and does not create it`, async () => {
    using directory = new TemporaryDirectory();
    const db = directory.join("missing");
    assert.match(await cairnFails(6, [...args, "--db", db]), /there is no store in .*missing/);
    assert.deepEqual(readdirSync(directory.path), []);
  });
}

for (const args of [["get", "a"], ["set", "a", "1"], ["stats"], ["verify"], ["compact"]]) {
  test(`a path that is a file: ${args[0]} says so and leaves it alone`, async () => {
    using directory = new TemporaryDirectory();
    const file = directory.join("file");
    writeFileSync(file, "not a store");
    assert.match(await cairnFails(6, [...args, "--db", file]), /file is a file.*a directory/);
    assert.equal(statSync(file).size, 11);
  });
}

test("a directory that may not be written to: an I/O error with the reason", async () => {
  if (process.getuid?.() === 0) return; // to root nothing is forbidden
  using directory = new TemporaryDirectory();
  const locked = directory.join("locked");
  mkdirSync(locked);
  chmodSync(locked, 0o500);
  const error = await cairnFails(6, ["set", "a", "1", "--db", `${locked}/store`]);
  assert.match(error, /permission/i);
});

test("files that lie about are not obeyed", async () => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  writeFileSync(directory.join(".env"), `CAIRN_DB=${directory.join("elsewhere")}\n`);
  writeFileSync(directory.join("bunfig.toml"), 'preload = ["./evil.js"]\n');
  writeFileSync(directory.join("evil.js"), 'console.log("evil"); process.exit(9);\n');
  await cairn(["set", "a", "1"], { cwd: path });
  assert.deepEqual(readdirSync(path).sort(), [".env", "bunfig.toml", "cairn-data", "evil.js"]);
});
