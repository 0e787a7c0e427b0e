/** Style as a test: who may import whom, who may touch files, time and chance, and how files look. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** Layers, what each may import of the project, and which packages of others. */
const LAYERS: Record<string, { imports: string[]; packages: string[] }> = {
  format: { imports: [], packages: [] },
  index: { imports: [], packages: [] },
  telemetry: { imports: [], packages: ["@logtape/logtape"] },
  fs: { imports: ["lib/format/filename.ts"], packages: [] },
  log: { imports: ["lib/format/", "lib/fs/"], packages: [] },
  tools: {
    imports: [
      "lib/format/",
      "lib/fs/",
      "lib/index/",
      "lib/log/",
      "lib/clock.ts",
      "lib/random.ts",
    ],
    packages: [],
  },
  store: {
    imports: [
      "lib/format/",
      "lib/fs/",
      "lib/index/",
      "lib/log/",
      "lib/telemetry/",
      "lib/tools/",
      "lib/clock.ts",
      "lib/random.ts",
    ],
    packages: ["valibot"],
  },
  worker: {
    imports: ["lib/format/", "lib/fs/", "lib/index/", "lib/log/", "lib/store/", "lib/clock.ts"],
    packages: [],
  },
  server: {
    imports: ["lib/mod.ts", "lib/telemetry/", "lib/clock.ts"],
    packages: [
      "hono",
      "valibot",
      "@valibot/to-json-schema",
      "@logtape/logtape",
      "@opentelemetry/api",
      "modern-tar",
      "prom-client",
    ],
  },
  cli: {
    imports: [
      "lib/mod.ts",
      "lib/telemetry/",
      "lib/clock.ts",
      "lib/server/http/mod.ts",
      "lib/server/tcp/mod.ts",
      "lib/server/http/threads/mod.ts",
      "lib/server/tcp/threads/mod.ts",
    ],
    packages: ["commander", "@logtape/logtape", "modern-tar", "csv-parse", "markdown-table"],
  },
};
/** What every layer may import. */
const FOUNDATION = ["lib/errors.ts", "lib/limits.ts"];
/** What layers may import that are not for users' eyes; users get it from lib/mod.ts. */
const ENGINE_FOUNDATION = ["lib/assert.ts", "lib/sequence.ts"];
/** What files at the top of lib/ may import. */
const TOP: Record<string, string[]> = {
  "lib/assert.ts": [],
  "lib/clock.ts": [],
  "lib/errors.ts": [],
  "lib/limits.ts": ["lib/assert.ts"],
  "lib/mod.ts": [
    "lib/assert.ts",
    "lib/clock.ts",
    "lib/errors.ts",
    "lib/random.ts",
    "lib/fs/",
    "lib/store/",
    "lib/telemetry/",
    "lib/tools/",
    "lib/worker/",
  ],
  "lib/random.ts": [],
  "lib/sequence.ts": [],
};

/** Files outside lib/fs that use the runtime's own file system, and what for. */
const MAY_USE_FILES: Record<string, string> = {
  "lib/cli/backup_archive.ts": "unpacks a backup, durably",
  "lib/cli/bench/scratch_directory.ts": "makes and removes a directory for a while",
  "lib/cli/commands/export.ts": "looks whether there is a file already",
  "lib/cli/completion/answer_request.ts": "looks how much there is to read at opening",
  "lib/cli/shell/complete_line.ts": "completes names of files",
  "lib/cli/shell/history.ts": "the lines of earlier shells",
  "lib/cli/shell/line_source.ts": "standard input, as it comes",
  "lib/cli/confirm.ts": "reads the answer to a question",
  "lib/cli/durable_name.ts": "syncs and names files",
  "lib/cli/transfer/checkpoint.ts": "the file that --resume names",
  "lib/cli/transfer/directory_copy.ts": "looks how far a copy has come",
  "lib/cli/transfer/export_file.ts": "the file that is exported to",
  "lib/cli/transfer/source_file.ts": "the file that is imported",
  "lib/cli/commands/restore.ts": "reads the archive that is to be restored",
  "lib/cli/target/directory_feed.ts": "looks whether the segments have grown",
  "lib/cli/target/frozen_copy.ts": "makes and removes a directory for a while",
  "lib/cli/argument.ts": "reads the raw arguments from /proc",
  "lib/cli/commands/get.ts": "looks what the file is that --out names",
  "lib/cli/descriptor.ts": "standard input and output",
  "lib/cli/log_output.ts": "standard error, without waiting for its reader",
  "lib/cli/lock_holder.ts": "reads /proc/locks",
  "lib/cli/open_files.ts": "counts the open files in /proc",
  "lib/cli/open_store.ts": "looks whether there is a directory",
  "lib/cli/secret_file.ts": "reads the files of tokens, certificate and key",
  "lib/server/telemetry/process_metrics.ts": "counts the descriptors in /proc/self/fd",
};

/** Sources longer than the others, and why they are not divided. */
const LONG: Record<string, string> = {
  "lib/store/store.ts": "the public face, mostly documentation",
};
const LINES_MAX = 400;

interface Source {
  path: string;
  text: string;
  /** The text without comments. */
  code: string;
  imports: string[];
}

const files = projectFiles();
const sources: Source[] = files.filter((path) => path.endsWith(".ts")).map((path) => {
  const text = readFileSync(join(PROJECT, path), "utf8");
  const code = text.replace(/\/\*.*?\*\//gs, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  const imports = [...code.matchAll(/(?:\bfrom\s|^import\s|\bimport\()\s*"([^"]+)"/gm)]
    .map(([, specifier]) =>
      specifier!.startsWith(".") ? posix.join(dirname(path), specifier!) : specifier!
    );
  return { path, text, code, imports };
});
const library = sources.filter(({ path }) => path.startsWith("lib/"));

test("layers: each imports only what lies below it", () => {
  assertNone(library.flatMap(({ path, imports }) => {
    const layer = path.split("/")[1]!;
    const allowed = TOP[path] ?? allowedIn(layer, path);
    return imports.filter((target) => target.startsWith("lib/"))
      .filter((target) => !allowed.some((each) => target === each || isBelow(target, each)))
      .map((target) => `${path} imports ${target}`);
  }));
});

function allowedIn(layer: string, path: string): string[] {
  const rules = LAYERS[layer];
  assert(rules !== undefined, `${path} belongs to a layer`);
  const isEngine = layer !== "server" && layer !== "cli";
  return [
    `lib/${layer}/`,
    ...rules.imports,
    ...FOUNDATION,
    ...(isEngine ? ENGINE_FOUNDATION : []),
  ];
}

function isBelow(target: string, directory: string): boolean {
  return directory.endsWith("/") && target.startsWith(directory);
}

test("layers: packages of others are used only where they belong", () => {
  assertNone(library.flatMap(({ path, imports }) => {
    const allowed = LAYERS[path.split("/")[1]!]?.packages ?? [];
    return imports.filter((target) => !/^(?:lib\/|node:)/.test(target))
      .filter((target) => !allowed.includes(target))
      .map((target) => `${path} imports ${target}`);
  }));
});

test("layers: nothing in lib/ leads out of it, and nothing is fetched", () => {
  assertNone(
    sources.flatMap(({ path, imports }) =>
      imports.filter((target) =>
        /^(?:jsr|https?|npm):/.test(target) ||
        (path.startsWith("lib/") && /^(?:\.\.|tests|bench|scripts|main)/.test(target))
      ).map((target) => `${path} imports ${target}`)
    ),
  );
});

test("seams: files are touched only by lib/fs and a few others by name", () => {
  assertNone(
    library.filter(({ path, imports, code }) =>
      !path.startsWith("lib/fs/") && !(path in MAY_USE_FILES) &&
      (imports.some((target) => /^node:(?:fs|child_process)/.test(target)) ||
        /\b(?:Deno\.(?:open|read|write|remove|rename)|Bun\.(?:file|write|mmap))/.test(code))
    ).map(({ path }) => `${path} uses the file system`),
  );
});

test("seams: only lib/clock.ts tells the time and sets timers", () => {
  assertNone(uses(
    /\b(?:Date\.now|new Date\(\)|performance\.now|set(?:Timeout|Interval|Immediate)\()/,
    "lib/clock.ts",
  ));
});

test("seams: only lib/random.ts draws random numbers", () => {
  assertNone(uses(
    /\bMath\.random|\bcrypto\.|(?<!#)\brandom(?:UUID|Bytes|Int|Fill)\b|\bgetRandomValues/,
    "lib/random.ts",
  ));
});

function uses(pattern: RegExp, allowed: string): string[] {
  return library.filter(({ path }) => path !== allowed).flatMap(({ path, code }) =>
    code.split("\n").filter((line) => pattern.test(line)).map((line) => `${path}: ${line.trim()}`)
  );
}

test("tidy: no file is a drawer for odds and ends, or too long to read", () => {
  assertNone(sources.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    return [
      ...(/(?:^|[/_])(?:utils?|helpers?|misc|common)\.ts$/.test(path) ? [`${path}: its name`] : []),
      ...(lines > LINES_MAX && !(path in LONG) ? [`${path}: ${lines} lines`] : []),
    ];
  }));
});

test("tidy: exceptions that are no longer needed are taken back", () => {
  assertNone([
    ...Object.keys(LONG).filter((path) =>
      (sources.find((source) => source.path === path)?.text.split("\n").length ?? 0) <= LINES_MAX
    ),
    ...Object.keys(MAY_USE_FILES).filter((path) =>
      !sources.find((source) => source.path === path)?.imports.includes("node:fs")
    ),
  ]);
});

test("tidy: nothing is left to be done, and nobody's own machine is named", () => {
  // Put together here, so that this file does not find itself.
  const unfinished = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
  const machine = new RegExp(`(?:/home|/Users|[A-Z]:\\\\Users)[/\\\\][\\w.-]+[/\\\\]`);
  const own = [PROJECT, `${homedir()}/`].filter((path) => path.split(/[\\/]/).length > 3);
  assertNone(
    files.filter((path) => /\.(?:ts|md|json|ya?ml|sh)$|\/run$|LICENSE$/.test(path))
      .flatMap((path) =>
        readFileSync(join(PROJECT, path), "utf8").split("\n").filter((line) =>
          unfinished.test(line) || machine.test(line) || own.some((each) => line.includes(each))
        ).map((line) => `${path}: ${line.trim().slice(0, 120)}`)
      ),
  );
});

/** Everything that is part of the project, or would be with the next commit. */
function projectFiles(): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const { status, stdout } = spawnSync("git", args, { cwd: PROJECT, encoding: "utf8" });
  const listed = status === 0 ? stdout.split("\n") : readdirSync(PROJECT, { recursive: true })
    .map((path) => String(path).replaceAll("\\", "/"))
    .filter((path) => !/^(?:node_modules|dist|coverage|cairn-data|\.git)(?:\/|$)/.test(path));
  return listed.filter((path) => {
    try {
      readFileSync(join(PROJECT, path));
      return path !== "";
    } catch {
      return false; // a directory, or removed and not yet committed
    }
  });
}

function assertNone(violations: string[]): void {
  assert.equal(violations.length, 0, `\n${violations.join("\n")}`);
}
