/** Builds the executable for this machine: `deno task build` puts it at dist/cairn. */

import { compile } from "./compile.ts";
import { ROOT } from "./toolchain.ts";

const output = Deno.build.os === "windows" ? "dist/cairn.exe" : "dist/cairn";

const started = performance.now();
await Deno.mkdir(`${ROOT}/dist`, { recursive: true });
try {
  await compile({ output: `${ROOT}/${output}` });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
const { size } = await Deno.stat(`${ROOT}/${output}`);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`Built ${output}: ${(size / 2 ** 20).toFixed(0)} MiB in ${seconds} s`);
