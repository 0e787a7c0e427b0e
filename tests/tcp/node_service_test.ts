/** The TCP service under Node, whose sockets it shares with Deno, but not their type of bytes. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nodePath } from "../support/runtimes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const SERVICE = fileURLToPath(new URL("node_service.ts", import.meta.url));
const LONG = "x".repeat(300_000);

testUnless(
  nodePath === undefined ? "no Node >= 22.6 here" : undefined,
  "Node: both protocols, pipelines, transactions and values in several chunks",
  () => {
    using directory = new TemporaryDirectory();
    const resp = (...args: string[]) =>
      `*${args.length}\r\n${args.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`;
    const exchange: [sent: string, reply: string][] = [
      ["SET greeting 5\nhello", "OK\n"],
      ["GET greeting\n", "VALUE 5\nhello"],
      ["DEL greeting\n", "OK\n"],
      ["DEL greeting\n", "NOT_FOUND\n"],
      [resp("SET", "count", "41"), "+OK\r\n"],
      [resp("INCR", "count"), ":42\r\n"],
      [resp("MULTI"), "+OK\r\n"],
      [resp("APPEND", "count", "0"), "+QUEUED\r\n"],
      [resp("GET", "count"), "+QUEUED\r\n"],
      [resp("EXEC"), "*2\r\n:3\r\n$3\r\n420\r\n"],
      [resp("SET", "long", LONG), "+OK\r\n"],
      [resp("GET", "long"), `$${LONG.length}\r\n${LONG}\r\n`],
      [resp("GET", "none"), "$-1\r\n"],
    ];
    const { stdout, stderr, status } = spawnSync(
      nodePath!,
      ["--no-warnings", "--experimental-strip-types", SERVICE, directory.path],
      { input: exchange.map(([sent]) => sent).join(""), encoding: "utf8", timeout: 60_000 },
    );
    assert.equal(stderr, "");
    assert.equal(stdout, exchange.map(([, reply]) => reply).join(""));
    assert.equal(status, 0);
  },
);
