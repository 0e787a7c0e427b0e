/** Builds a release for this machine, and looks at all of it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import process from "node:process";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import config from "../../deno.json" with { type: "json" };
import { TARGETS } from "../../scripts/release/target.ts";
import { readText, tableUnder } from "../docs/markdown.ts";
import { CAIRN, cairn } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { HOST, readRelease, runProgram, runRelease } from "./release_run.ts";

const SCHEMAS = new URL(
  "../../node_modules/@cyclonedx/cyclonedx-library/res/schema/",
  import.meta.url,
);

function missing(): string | undefined {
  if (!existsSync(CAIRN)) return "dist/cairn is not built";
  if (!TARGETS.some(({ name }) => name === HOST)) return `there are no releases for ${HOST}`;
  return spawnSync("tar", ["--version"]).error === undefined ? undefined : "there is no tar";
}

testUnless(missing(), "release: archive, sums and bill of materials fit each other", async () => {
  using directory = new TemporaryDirectory();
  const out = directory.join("release");
  mkdirSync(out);
  writeFileSync(`${out}/cairn-0.0.1-plan9.tar.gz`, "of an earlier release");
  const { status, stderr } = runRelease("--target", HOST, "--out", out);
  assert.equal(status, 0, stderr);

  const { names, archive, bill, wrongSums, summed } = readRelease(out);
  const base = `cairn-${config.version}`;
  assert.deepEqual(names, ["SHA256SUMS", `${base}-${HOST}.tar.gz`, `${base}.cdx.json`]);
  assert.deepEqual(summed.sort(), names.slice(1));
  assert.deepEqual(wrongSums, []);

  assert.equal(spawnSync("tar", ["-xzf", archive], { cwd: directory.path }).status, 0);
  const inside = directory.join(`${base}-${HOST}`);
  assert.deepEqual(readdirSync(inside).sort(), [
    "LICENSE",
    "README.md",
    "THIRD_PARTY_LICENSES.txt",
    "cairn",
    ...(process.platform === "linux" ? ["cairn.service"] : []),
  ]);
  // What users get is what all the other tests have run, to the last bit.
  const released = readFileSync(`${inside}/cairn`);
  assert(released.equals(readFileSync(CAIRN)), "dist/cairn is another one: run deno task build");
  const { version, commit } = JSON.parse((await cairn(["version", "--json"])).text);
  assert.equal(version, config.version);
  assert.match(commit, /^(?:[0-9a-f]{10}(?:-modified)?|unknown)$/);

  assert.equal(bill.metadata.component.version, config.version);
  assert.deepEqual(bill.metadata.component.properties, [{ name: "cairn:commit", value: commit }]);
  const packages = bill.components.map(({ group, name, version }) =>
    `${group === undefined ? name : `${group}/${name}`} ${version}`
  );
  const dependencies = readText("docs/dependencies.md");
  const documented = ["In the library", "In the executable only"]
    .flatMap((heading) => tableUnder(dependencies, heading))
    .map((row) => /^\[(.+)\]\(.+\) (.+)$/.exec(row["package"]!)!.slice(1).join(" "));
  assert.deepEqual(
    packages.filter((each) => !/^(?:@oven\/bun-|tdigest |bintrees )/.test(each)).sort(),
    documented.sort(),
  );
  assert.equal(packages.filter((each) => each.startsWith("@oven/bun-")).length, 1);
  const licences = readFileSync(`${inside}/THIRD_PARTY_LICENSES.txt`, "utf8");
  for (const each of packages.filter((name) => !name.startsWith("@oven/"))) {
    const [, text] = licences.split(`\n${each} (`);
    assert.match(text?.slice(0, 2000) ?? "", /copyright/i, each);
  }
  assertValid(bill);
});

/** Holds a bill against the schema of CycloneDX, and the schema against one that is none. */
function assertValid(bill: object): void {
  const schema = (name: string) =>
    JSON.parse(readFileSync(new URL(`${name}.SNAPSHOT.schema.json`, SCHEMAS), "utf8"));
  const ajv = new Ajv({ strict: false });
  (addFormats as unknown as (ajv: Ajv) => void)(ajv);
  // The two that the package of formats lacks.
  ajv.addFormat("iri-reference", /^\S*$/).addFormat("idn-email", /^\S+@\S+$/);
  for (const name of ["spdx", "jsf-0.82"]) {
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  const validate = ajv.compile(schema("bom-1.6"));
  assert(validate(bill), JSON.stringify(validate.errors));
  assert(!validate({ ...bill, components: [{ type: "library" }] }));
}

test("release: what cannot be done is said in one line", () => {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join("letter.txt"), "not of a release");
  const cases: [string[], RegExp][] = [
    [["--target", "plan9-x64"], /^release: --target is "plan9-x64": it must be one of linux-x64, /],
    [["--tag", "v9.9.9"], /^release: --tag is v9\.9\.9, but the version in deno\.json is \d/],
    [["--out", directory.path], /^release: .* is not for releases alone: it has letter\.txt; /],
  ];
  for (const [options, expected] of cases) {
    const { status, stderr } = runRelease(...options);
    assert.equal(status, 1);
    assert.match(stderr, expected);
    assert.match(stderr, /^[^\n]+\n$/);
  }
  assert.deepEqual(readdirSync(directory.path), ["letter.txt"]);
});

test("release: a runtime that is not to be had, or not what deno.lock says, ends it", () => {
  using directory = new TemporaryDirectory();
  const program = `
    import { tarGz } from "./scripts/release/archive.ts";
    import { installRuntime } from "./scripts/release/runtime.ts";
    import { TARGETS } from "./scripts/release/target.ts";
    const directory = ${JSON.stringify(directory.path)};
    const target = TARGETS.find(({ name }) => name === "windows-x64");
    const say = (error) => console.log(error.message);
    await installRuntime(target, directory).catch(say);
    await installRuntime({ ...target, runtimePackage: "@oven/bun-plan9" }, directory).catch(say);

    const files = [{ name: "bin/bun.exe", bytes: new Uint8Array(1000) }];
    const forged = await tarGz("package", files, new Date(0));
    const onListen = () => {};
    const hostname = "127.0.0.1";
    const server = Deno.serve({ hostname, port: 0, onListen }, () => new Response(forged));
    Deno.env.set("npm_config_registry", "http://127.0.0.1:" + server.addr.port);
    await installRuntime(target, directory).catch(say);
    await server.shutdown();
  `;
  const printed = runProgram(program, {
    npm_config_registry: "http://127.0.0.1:1/",
    BUN_INSTALL_CACHE_DIR: directory.join("cache"),
  }).split("\n");
  assert.match(
    printed[0]!,
    /^windows-x64 cannot be built: @oven\/bun-windows-x64@[\d.]+ was not to be had from npm: /,
  );
  assert.match(printed[1]!, /^deno\.lock has no @oven\/bun-plan9@[\d.]+: run deno install$/);
  assert.match(printed[2]!, /^windows-x64 cannot be built: .*integrity check failed/i);
});

test("release: every platform's runtime is in deno.lock", () => {
  const program = `
    import { bunVersion, integrityOf } from "./scripts/release/lock_file.ts";
    import { TARGETS } from "./scripts/release/target.ts";
    for (const { runtimePackage } of TARGETS) integrityOf(runtimePackage, bunVersion());
    console.log(TARGETS.map(({ name }) => name).join(" "));
  `;
  assert.equal(
    runProgram(program, {}),
    "linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl macos-x64 macos-arm64 windows-x64\n",
  );
});
