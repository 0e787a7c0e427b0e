import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogRecord } from "@logtape/logtape";
import { integerBetween, parseDuration } from "../../lib/cli/argument.ts";
import { isLoopback, isUnspecified, parseHostPort } from "../../lib/cli/host_port.ts";
import { jsonLine, prettyLine } from "../../lib/cli/logging.ts";
import { escapeControls, quoted } from "../../lib/cli/terminal_text.ts";
import {
  formatBytes,
  formatCount,
  formatMillis,
  formatQuantity,
  formatShare,
  jsonValue,
} from "../../lib/cli/text_format.ts";

test("parseDuration() knows its units", () => {
  const expected = { "500ms": 500, "90s": 90_000, "15m": 900_000, "2h": 7_200_000 };
  for (const [text, millis] of Object.entries(expected)) assert.equal(parseDuration(text), millis);
  assert.equal(parseDuration("7d"), 604_800_000);
  for (const text of ["", "5", "s", "5 s", "5S", "1h30m", "0ms", "1e3s", "٣s"]) {
    assert.throws(() => parseDuration(text), /500ms, 90s/, text);
  }
});

test("integerBetween() includes both bounds, and takes digits only", () => {
  const parse = integerBetween(1, 10);
  assert.deepEqual([parse("1"), parse("10")], [1, 10]);
  for (const text of ["0", "11", "", " 1", "+1", "0x1", "1.0", "NaN"]) {
    assert.throws(() => parse(text), /from 1 to 10/, text);
  }
  assert.throws(() => integerBetween(0, Number.MAX_SAFE_INTEGER)("9007199254740993"));
});

test("parseHostPort(), and which addresses only this machine can reach", () => {
  assert.deepEqual(parseHostPort("LOCALHOST:0"), { hostname: "127.0.0.1", port: 0 });
  assert.deepEqual(parseHostPort("[::1]:65535"), { hostname: "::1", port: 65_535 });
  for (const text of ["::1:80", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "a b:1"]) {
    assert.throws(() => parseHostPort(text), /HOST:PORT/, text);
  }
  for (const text of ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"]) {
    assert(isLoopback(parseHostPort(text).hostname), text);
  }
  const others = ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "127.0.0.1.evil.org:1", "2130706433:1"];
  for (const text of [...others, "[::ffff:127.0.0.1]:1", "localhost.evil.org:1", "127.1:1"]) {
    assert(!isLoopback(parseHostPort(text).hostname), text);
  }
  const all = ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::1", "127.0.0.1", "10.0.0.0"];
  assert.deepEqual(all.filter(isUnspecified), ["0.0.0.0", "::", "0:0:0:0:0:0:0:0"]);
});

test("escapeControls() leaves nothing that a terminal would obey", () => {
  assert.equal(
    escapeControls("a\x00\x1b\x7f\x9b\u2028\u202e\u2066é🏔"),
    "a\\x00\\x1b\\x7f\\x9b\\u2028\\u202e\\u2066é🏔",
  );
  assert.equal(escapeControls("\t\r\n"), "\\t\\r\\n");
  assert.equal(quoted("k".repeat(100)), `"${"k".repeat(77)}..."`);
});

test("figures are short and carry their unit", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 5 * 2 ** 30].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "5.0 GiB",
  ]);
  assert.equal(formatCount(1234567), "1,234,567");
  assert.deepEqual([formatQuantity(1, "key"), formatQuantity(1000, "key")], [
    "1 key",
    "1,000 keys",
  ]);
  assert.deepEqual([0.4216, 12.34, 999, 4049].map(formatMillis), [
    "0.422 ms",
    "12.3 ms",
    "999 ms",
    "4.05 s",
  ]);
  assert.deepEqual([formatShare(1, 3), formatShare(0, 0)], ["33.3%", "-"]);
});

test("jsonValue() keeps text exactly, and marks what is not text", () => {
  assert.deepEqual(jsonValue(new TextEncoder().encode("\ufeffé\0")), { value: "\ufeffé\0" });
  const part = new Uint8Array([1, 0xff, 0xfe, 2]).subarray(1, 3);
  assert.deepEqual(jsonValue(part), { value: "//4=", encoding: "base64" });
});

test("log lines: one line, whatever is logged, and nothing twice", () => {
  const path = "/a b";
  const error = new Error("why\nnot");
  const record: LogRecord = {
    category: ["cairn", "log"],
    level: "warning",
    message: ["Torn\x1b tail\nin ", path, ""],
    rawMessage: "Torn\x1b tail\nin {path}",
    timestamp: 0,
    properties: { path, millis: 1.234567, error },
  };
  assert.equal(
    prettyLine(record, false),
    "1970-01-01T00:00:00.000Z warning cairn.log: Torn\\x1b tail\\nin /a b millis=1.235 " +
      'error="why\\nnot"',
  );
  assert.deepEqual(JSON.parse(jsonLine(record)), {
    time: "1970-01-01T00:00:00.000Z",
    level: "warning",
    logger: "cairn.log",
    message: "Torn\x1b tail\nin /a b",
    path,
    millis: 1.234567,
    error: "why\nnot",
  });
});
