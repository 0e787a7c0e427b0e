/** Import and export: exact for any bytes, and honest about what could not be imported. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  cairn,
  cairnFails,
  CairnProcess,
  runCairn,
  runInTerminal,
  runShell,
  startServer,
} from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const ODD_ENTRIES = [
  { key: "\ufeffmark", value: "\ufeff" },
  { key: " space ", value: " " },
  { key: "base64?", value: "iVBORw==" },
  { key: "binary", value: "/wD+Cg==", encoding: "base64" },
  { key: "empty", value: "" },
  { key: "expires", value: "x", expiresAt: 4102444800123 },
  { key: 'quote"s, and\nlines\r\n', value: 'a,"b"\r\n;c\td\r' },
  { key: "zero\u0000", value: "\u0000\u2028é😀" },
];

function ndjson(entries: readonly unknown[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

const ODD_LINES = ndjson(
  [...ODD_ENTRIES].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))),
);

async function exported(args: string[]): Promise<string> {
  const { exitCode, text, stderr } = await runCairn(["export", "-", ...args]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /^Exported \d+ records? as of version \d+ in [^\n]+\n$/);
  return text;
}

test("export and import: what comes out goes in, in both formats, whatever it is", async () => {
  using directory = new TemporaryDirectory();
  const text = ODD_LINES;
  const db = (name: string) => ["--db", directory.join(name)];
  const { text: summary } = await cairn(["import", "-", ...db("a")], { stdin: text });
  assert.match(summary, /^Imported 8 records in .* \(\d+\/s\)\n$/);
  assert.equal(await exported(db("a")), text);
  for (const delimiter of [",", ";", "tab"]) {
    const file = directory.join(`${delimiter === "," ? "comma" : delimiter}.csv`);
    const args = ["--delimiter", delimiter];
    await cairn(["export", file, ...args, ...db("a")]);
    assert.match(readFileSync(file, "utf8"), /^key.value.encoding.expiresAt\r\n/);
    await cairn(["import", file, ...args, ...db(delimiter === "," ? "comma" : delimiter)]);
    assert.equal(await exported(db(delimiter === "," ? "comma" : delimiter)), text, delimiter);
  }
});

test("a server: what comes out goes in, whatever it is", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("s"));
  await cairn(["import", "-", "--url", server.url], { stdin: ODD_LINES });
  assert.equal(await exported(["--url", server.url]), ODD_LINES);
});

test("a server: import and export, as of one version while others write", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.join("s"));
  const at = ["--url", server.url];
  const entries = Array.from({ length: 12_000 }, (_, index) => ({
    key: `key-${String(index).padStart(6, "0")}`,
    value: `value ${index}`,
  }));
  await cairn(["import", "-", ...at], { stdin: ndjson(entries) });
  // A pair that is always written as one: an export must never see its halves apart.
  let isOver = false;
  const writer = (async () => {
    for (let round = 0; !isOver; round++) {
      const value = String(round);
      await fetch(`${server.url}/v1/batch`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          ops: [{ op: "set", key: "!first", value }, { op: "set", key: "~last", value }],
        }),
      }).then((response) => response.text());
    }
  })();
  const file = directory.join("out.ndjson");
  const { text } = await cairn(["export", file, ...at]);
  isOver = true;
  await writer;
  assert.match(text, /^Exported 12,00[02] records/);
  const lines = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const pair = lines.filter(({ key }) => /^[!~]/.test(key)).map(({ value }) => value);
  assert.equal(pair[0], pair[1]);
  assert.deepEqual(lines.filter(({ key }) => /^key/.test(key)), entries);
  assert.deepEqual(readdirSync(directory.path).sort(), ["out.ndjson", "s"]);
});

const BAD_LINES = [
  ['{"key":"a","value":"1"', /it is not JSON/],
  ["[1]", /not an object/],
  ['{"value":"1"}', /no key/],
  ['{"key":"","value":"1"}', /key is empty/],
  ['{"key":"a"}', /no value/],
  ['{"key":"a","value":1}', /value is not a text/],
  ['{"key":"\\ud800","value":"1"}', /half a character/],
  ['{"key":"a","value":"?","encoding":"base64"}', /not base64/],
  ['{"key":"a","value":"x","encoding":"hex"}', /encoding is unknown/],
  ['{"key":"a","value":"x","expiresAt":"soon"}', /expiresAt is not a time/],
  ['{"key":"a","value":"x","ttl":5}', /field "ttl", unknown/],
  ['{"key":"a","op":"del"}', /no set/],
  [`{"key":"${"k".repeat(65_537)}","value":"1"}`, /longer than 65536/],
] as const;

test("import: bad lines are told with their numbers; stop or skip", async () => {
  using directory = new TemporaryDirectory();
  const good = '\ufeff{"key":"good","value":"1"}\n\n';
  const stdin = `${good}${BAD_LINES.map(([line]) => `${line}\n`).join("")}{"key":"z","value":"2"}`;
  const db = ["--db", directory.join("store")];
  const stopped = await cairnFails(2, ["import", "-", ...db], { stdin });
  assert.match(stopped, /line 3 of standard input .* not JSON; .*first record .* --skip 1\n$/);
  assert.equal((await cairn(["list", ...db])).text, "good\n");
  const args = ["import", "-", "--on-error", "skip", "--skip", "1", "--json", ...db];
  const { exitCode, stderr, text } = await runCairn(args, { stdin });
  assert.equal(exitCode, 0);
  const told = stderr.trim().split("\n");
  BAD_LINES.forEach(([, message], index) => {
    assert.match(told[index]!, new RegExp(`^cairn: line ${index + 3} left out: `));
    assert.match(told[index]!, message);
  });
  assert.equal(told.length, BAD_LINES.length);
  const { durationMs: _, ...report } = JSON.parse(text);
  assert.deepEqual(report, { imported: 1, skipped: 1, bad: BAD_LINES.length, expired: 0 });
  assert.equal((await cairn(["list", ...db])).text, "good\nz\n");
});

test("import: bytes that are not UTF-8 are refused, and what has expired is left out", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  const stdin = Buffer.concat([Buffer.from('{"key":"a","value":"'), Buffer.of(0xff, 0x22, 0x7d)]);
  assert.match(await cairnFails(2, ["import", "-", ...db], { stdin }), /line 1 .* not UTF-8/);
  const expired = '{"key":"a","value":"1","expiresAt":5}';
  assert.match((await cairn(["import", "-", ...db], { stdin: expired })).text, /1 had expired/);
  assert.equal((await cairn(["list", ...db])).text, "");
});

test("import: CSV with a byte order mark, quotes, lines in values, and columns by name", async () => {
  using directory = new TemporaryDirectory();
  const db = (name: string) => ["--db", directory.join(name)];
  const file = directory.join("users.csv");
  writeFileSync(
    file,
    '\ufeffid,name,"e mail"\r\n1,"Ada ""A"" L\nx",ada@x\r\n\r\n2,Bob,bob@x\r\n3\r\n4,D,d@x\r\n',
  );
  const args = ["--key-column", "e mail", "--value-column", "name"];
  const stopped = await cairnFails(2, ["import", file, ...args, ...db("a")]);
  assert.match(stopped, /line 6 of .*users\.csv.* 1 fields, and there are 3 columns.*--skip 2/);
  await cairn(["import", file, ...args, "--skip", "3", ...db("a")]);
  assert.equal(
    (await cairn(["list", "--values", ...db("a")])).text,
    'ada@x\tAda "A" L\nx\nbob@x\tBob\nd@x\tD\n',
  );
  assert.match(
    await cairnFails(2, ["import", file, ...db("b")]),
    /no column "key": the columns are "id", "name", "e mail"; .*--key-column/,
  );
  assert.match(await cairnFails(6, ["list", ...db("b")]), /there is no store/);
  const stdin = "a;1\nb;2\n";
  const bare = ["--format", "csv", "--delimiter", ";", "--columns", "key,value"];
  await cairn(["import", "-", ...bare, ...db("c")], { stdin });
  assert.equal((await cairn(["list", "--values", ...db("c")])).text, "a\t1\nb\t2\n");
  const broken = 'key,value\na,1\nb,"open\n';
  const shown = await runCairn(["import", "-", "--format", "csv", ...db("d")], { stdin: broken });
  assert.equal(shown.exitCode, 2);
  assert.match(shown.stderr, /a quote is never closed/);
  const latin = Buffer.from("key,value\na,\xe9\n", "latin1");
  assert.match(
    await cairnFails(2, ["import", "-", "--format", "csv", ...db("e")], { stdin: latin }),
    /line 2 .* the value is not UTF-8/,
  );
});

test("import: kill -9 in the middle, and the same command goes on", async () => {
  using directory = new TemporaryDirectory();
  const state = directory.join("state");
  const db = ["--db", directory.join("store")];
  const args = ["import", "-", "--resume", state, ...db];
  const lines = Array.from({ length: 20_000 }, (_, index) => `{"key":"${index}","value":"v"}\n`);
  {
    await using half = new CairnProcess(args, { stdin: null });
    // It is durable after two seconds at the latest, if more comes then.
    half.write(lines.slice(0, 10_000).join(""));
    for (let at = 10_000; !readdirSync(directory.path).includes("state"); at += 100) {
      half.write(lines.slice(at % 10_000, at % 10_000 + 5000).join(""));
      assert(at < 100_000, "nothing was noted in a minute and a half"); // 900 times 100 ms
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await half.stop("SIGKILL");
  }
  const { records } = JSON.parse(readFileSync(state, "utf8"));
  assert(records >= 5000, `${records}`);
  const kept = JSON.parse((await cairn(["stats", "--json", ...db])).text).keys;
  assert(kept >= 5000);
  const { text } = await cairn([...args, "--json"], { stdin: lines.join("") });
  const report = JSON.parse(text);
  assert.deepEqual([report.imported + report.skipped, report.bad], [20_000, 0]);
  assert.equal(report.skipped, Math.min(records, 20_000));
  assert(!readdirSync(directory.path).includes("state"));
  writeFileSync(state, '{"records":1,"source":"/elsewhere","place":"in x"}');
  assert.match(await cairnFails(2, args, { stdin: lines[0]! }), /state is of another import/);
});

test("import: Ctrl-C says how to go on", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  await using half = new CairnProcess(["import", "-", "--on-error", "skip", ...db], {
    stdin: null,
  });
  half.write('{"key":"a","value":"1"}\n{"key":"b","value":"1"}\nbad\n{"key":"c"');
  await half.printed(/line 3 left out/);
  const { exitCode, stderr } = await half.stop("SIGINT");
  assert.equal(exitCode, 130);
  assert.match(
    stderr,
    /\ncairn: interrupted; the first 3 records of standard input are imported, go on with --skip 3\n$/,
  );
  assert.equal((await cairn(["list", ...db])).text, "a\nb\n");
});

test("export: a full disk is an I/O error, a file that exists is not replaced unasked", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  await cairn(["set", "a", "1", ...db]);
  assert.match(await cairnFails(6, ["export", "/dev/full", ...db]), /write \/dev\/full: no space/);
  const env = { DB: directory.join("store") };
  const { exitCode, stderr } = await runShell('"$CAIRN" export - --db "$DB" > /dev/full', { env });
  assert.equal(exitCode, 6);
  assert.match(stderr, /^cairn: cannot write the output: no space/);
  const file = directory.join("out.ndjson");
  writeFileSync(file, "mine");
  assert.match(await cairnFails(2, ["export", file, ...db]), /out\.ndjson" exists: .*--yes/);
  assert.equal(readFileSync(file, "utf8"), "mine");
  await cairn(["export", file, "--yes", ...db]);
  assert.equal(readFileSync(file, "utf8"), '{"key":"a","value":"1"}\n');
  assert.match(await cairnFails(6, ["export", directory.join("no/out"), ...db]), /no such file/);
  assert.match(
    await cairnFails(6, ["import", directory.join("no"), ...db]),
    /cannot read .*no such/,
  );
  assert.deepEqual(readdirSync(directory.path).sort(), ["out.ndjson", "store"]);
});

test("terminal: export asks before it replaces a file, and a bar shows how far it is", async () => {
  using directory = new TemporaryDirectory();
  const db = ["--db", directory.join("store")];
  const lines = Array.from({ length: 60_000 }, (_, index) => `{"key":"${index}","value":"v"}\n`);
  writeFileSync(directory.join("in"), lines.join(""));
  const env = { TERM: "xterm", NO_COLOR: "1" };
  const options = { env, cwd: directory.path };
  const shown = await runInTerminal('"$CAIRN" import in --db store', options);
  if (shown === undefined) return;
  const drawn = shown.text.split("\r\x1b[K");
  assert.match(
    drawn[1]!,
    /^import {2}\[[#-]{24}\] +\d+% {2}[\d,]+ records {2}[\d,]+\/s( {2}\S+ left)?$/,
  );
  assert.match(drawn.at(-1)!, /^Imported 60,000 records in /);
  writeFileSync(directory.join("out"), "mine");
  const refused = await runInTerminal('echo n | "$CAIRN" export out --db store', options);
  assert.match(refused!.text, /nobody to ask/);
  const asked = await runInTerminal('"$CAIRN" export out --db store', { ...options, stdin: "n\n" });
  assert.match(asked!.text, /"out" exists: replace it\? \[y\/N\]/);
  assert.match(asked!.text, /nothing was done/);
  assert.equal(readFileSync(directory.join("out"), "utf8"), "mine");
  await runInTerminal('"$CAIRN" export out --db store', { ...options, stdin: "y\n" });
  assert.equal(readFileSync(directory.join("out"), "utf8").split("\n").length, 60_001);
  assert.equal(JSON.parse((await cairn(["stats", "--json", ...db])).text).keys, 60_000);
});
