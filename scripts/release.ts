/**
 * Builds what a release consists of: an archive for each platform, what is in them (SBOM), and the
 * sums of it all.
 *
 *     deno task release
 *     deno task release --target linux-x64 --target macos-arm64 --out dist/some
 *     deno task release --tag v0.1.0    (fails unless that is the version in deno.json)
 */

import { parseArgs } from "node:util";
import config from "../deno.json" with { type: "json" };
import { buildRelease } from "./release/build_release.ts";
import { TARGETS } from "./release/target.ts";
import { isModified } from "./source.ts";
import { ROOT } from "./toolchain.ts";

const NAMES = TARGETS.map(({ name }) => name).join(", ");

try {
  await main();
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      target: { type: "string", multiple: true, default: [] },
      out: { type: "string", default: `${ROOT}/dist/release` },
      tag: { type: "string" },
      modified: { type: "boolean", default: false },
    },
  });
  const unknown = values.target.find((each) => !TARGETS.some(({ name }) => name === each));
  if (unknown !== undefined) {
    throw new Error(`--target is ${JSON.stringify(unknown)}: it must be one of ${NAMES}`);
  }
  if (values.tag !== undefined && values.tag !== `v${config.version}`) {
    throw new Error(`--tag is ${values.tag}, but the version in deno.json is ${config.version}`);
  }
  if (!values.modified && await isModified()) {
    throw new Error("files differ from the commit: commit them, or add --modified to mark it so");
  }
  const chosen = TARGETS.filter(({ name }) =>
    values.target.length === 0 || values.target.includes(name)
  );
  const started = performance.now();
  const names = await buildRelease(chosen, values.out, (line) => console.log(line));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${names.length} files in ${values.out}, in ${seconds} s`);
}
