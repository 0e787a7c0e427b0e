/** Every public name is documented, and every public function and class shows how it is used. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import config from "../../deno.json" with { type: "json" };
import { denoPath } from "../support/runtimes.ts";
import { testUnless } from "../support/test_unless.ts";
import { PROJECT, readText } from "./markdown.ts";

const EXPORTS: string[] = Object.values(config.exports);

/** What is not ours to document: the type of a Hono application. */
const ALLOWED = ["public type 'createApp' references private type 'Hono'"];

const missing = denoPath === undefined ? "there is no deno" : undefined;

function denoDoc(...args: string[]): { stdout: string; stderr: string } {
  const { stdout, stderr } = spawnSync(denoPath!, ["doc", ...args, ...EXPORTS], {
    cwd: PROJECT,
    encoding: "utf8",
    env: { NO_COLOR: "1" },
    maxBuffer: 1 << 28,
  });
  return { stdout, stderr };
}

testUnless(missing, "every public name has a doc comment, and only public types", () => {
  const errors = [...denoDoc("--lint").stderr.matchAll(/^error\[[\w-]+\]: (.*)\n +--> (.*)$/gm)]
    .filter(([, message]) => !ALLOWED.includes(message!))
    .map(([, message, place]) => `${place}: ${message}`);
  assert.deepEqual(errors, []);
});

interface Declaration {
  kind: string;
  location: { filename: string };
  jsDoc?: { doc?: string; tags?: { kind: string; doc?: string }[] };
}

testUnless(missing, "every public function and class has an example that is run", () => {
  const { nodes } = JSON.parse(denoDoc("--json").stdout) as {
    nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
  };
  const symbols = Object.values(nodes).flatMap((module) => module.symbols);
  assert(symbols.length > 60, `${symbols.length} public names`);
  const without = symbols.flatMap(({ name, declarations }) => {
    const [declaration] = declarations;
    if (declaration?.kind !== "function" && declaration?.kind !== "class") return [];
    const examples = declaration.jsDoc?.tags?.filter(({ kind }) => kind === "example") ?? [];
    return examples.some(({ doc }) => doc?.includes("```ts\nimport ")) ? [] : [name];
  });
  assert.deepEqual(without, []);
});

test("the methods that the documentation begins with have examples too", () => {
  const store = readText("lib/store/store.ts");
  for (
    const method of [
      "open",
      "verify",
      "repair",
      "inspect",
      "set",
      "batch",
      "update",
      "scan",
      "changes",
      "compact",
      "backup",
    ]
  ) {
    const [comment] = new RegExp(
      `  /\\*\\*(?:(?!\\*/)[^])*\\*/\\n  (?:static |async )*${method}\\(`,
    ).exec(store) ?? assert.fail(method);
    assert.match(comment, /\* @example\n/, method);
  }
});
