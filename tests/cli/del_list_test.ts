import assert from "node:assert/strict";
import { test } from "node:test";
import { cairn, cairnFails, runCairn, runShell } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("del: deletes what there is, says what there was not, exits with 1", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  for (const key of ["a", "b", "c", "d"]) await cairn(["set", key, "1", ...db]);
  assert.equal((await cairn(["del", "a", "a", ...db])).text, "");
  const error = await cairnFails(1, ["del", "x", "b", "y", ...db]);
  assert.match(error, /there is no key "x", "y" in .*; the others are deleted/);
  assert.equal((await cairn(["list", ...db])).text, "c\nd\n");
  assert.doesNotMatch(await cairnFails(1, ["del", "x", ...db]), /others/);
  const json = await runCairn(["del", "c", "x", "--json", ...db]);
  assert.equal(json.exitCode, 1);
  const { deleted, missing } = JSON.parse(json.text);
  assert.deepEqual([deleted.length, deleted[0].key, missing], [1, "c", ["x"]]);
  assert(deleted[0].version > 4);
});

test("list: byte order, prefix, bounds, limit, reverse", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  // In UTF-16 the emoji would come before the ligature; in UTF-8 it comes after.
  for (const key of ["b", "\u{1f3d4}", "a:2", "a:1", "\ufb01", "a", "Z"]) {
    await cairn(["set", key, key, ...db]);
  }
  const list = async (...args: string[]) =>
    (await cairn(["list", ...args, ...db])).text.split("\n").slice(0, -1);
  assert.deepEqual(await list(), ["Z", "a", "a:1", "a:2", "b", "\ufb01", "\u{1f3d4}"]);
  assert.deepEqual(await list("--prefix", "a:"), ["a:1", "a:2"]);
  assert.deepEqual(await list("--prefix", ""), await list());
  assert.deepEqual(await list("--start", "a:1", "--end", "b"), ["a:1", "a:2"]);
  assert.deepEqual(await list("--limit", "2"), ["Z", "a"]);
  assert.deepEqual(await list("--limit", "0"), []);
  assert.deepEqual(await list("--reverse", "--limit", "2"), ["\u{1f3d4}", "\ufb01"]);
  assert.deepEqual(await list("--prefix", "nothing"), []);
});

test("list --values and --json: show what is stored, and read values only if asked", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.path];
  await cairn(["set", "a", "one", ...db]);
  await cairn(["set", "b", ...db], { stdin: new Uint8Array([0xff, 0xfe]) });
  const plain = (await cairn(["list", "--values", ...db])).stdout;
  assert.deepEqual(
    plain,
    Uint8Array.from(
      [..."a\tone\nb\t"].map((c) => c.charCodeAt(0)).concat([
        0xff,
        0xfe,
        10,
      ]),
    ),
  );
  const lines = async (...args: string[]) =>
    (await cairn(["list", "--json", ...args, ...db])).text.trimEnd().split("\n")
      .map((line) => JSON.parse(line));
  assert.deepEqual(await lines(), [{ key: "a", version: 1 }, { key: "b", version: 2 }]);
  assert.deepEqual(await lines("--values"), [
    { key: "a", value: "one", version: 1 },
    { key: "b", value: "//4=", encoding: "base64", version: 2 },
  ]);
});

test("list: a reader that closes early is no error", async () => {
  using directory = new TemporaryDirectory();
  const big = "x".repeat(500_000);
  const env = { DB: directory.path };
  for (const key of ["a", "b", "c"]) {
    await cairn(["set", key, "--db", directory.path], { stdin: big });
  }
  const script = '{ "$CAIRN" list --values --db "$DB"; echo "exit $?" >&2; } | head -c 10';
  const { text, stderr } = await runShell(script, { env });
  assert.equal(text, "a\txxxxxxxx");
  assert.equal(stderr, "exit 0\n");
});

test("list: output that cannot be written is an I/O error", async () => {
  using directory = new TemporaryDirectory();
  await cairn(["set", "a", "1", "--db", directory.path]);
  const script = '[ -e /dev/full ] || exit 6; "$CAIRN" list --db "$DB" > /dev/full';
  const { exitCode, stderr } = await runShell(script, { env: { DB: directory.path } });
  assert.equal(exitCode, 6);
  if (stderr !== "") assert.match(stderr, /^cairn: cannot write the output: no space left.*\n$/);
});

test("list: output that is taken in part only is an I/O error, not a short list", async () => {
  using directory = new TemporaryDirectory();
  for (const key of ["a", "b"]) {
    await cairn(["set", key, "--db", directory.path], { stdin: key.repeat(3000) });
  }
  const env = { DB: directory.path, OUT: directory.join("out") };
  // The first write ends at the limit, and only the next one fails.
  const script = 'trap \'\' XFSZ; ulimit -f 2; exec "$CAIRN" list --values --db "$DB" > "$OUT"';
  const { exitCode, stderr } = await runShell(script, { env });
  assert.equal(exitCode, 6, stderr);
  assert.match(stderr, /^cairn: cannot write the output: .*\n$/);
});
