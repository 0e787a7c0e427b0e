/**
 * Puts all packages that apt knows into a store: the name as the key, the description as the value.
 *
 *     deno run -A examples/apt_packages.ts [directory]
 *
 * End it whenever you like, with kill -9 if you like, and run it again: it goes on where it was.
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { KvStore } from "../lib/mod.ts";

/** Writes in flight at the same time; they share fsyncs. */
const WRITES_AT_ONCE = 64;

const directory = process.argv[2] ?? "./packages";
const packages = [
  ...readPackages(execFileSync("apt-cache", ["dumpavail"], { maxBuffer: 2 ** 30 })),
];

await using store = await KvStore.open(directory);
console.log(`${directory} has ${store.size} packages`);

let next = 0;
let written = 0;
await Promise.all(Array.from({ length: WRITES_AT_ONCE }, async () => {
  while (next < packages.length) {
    const [name, description] = packages[next++]!;
    if (store.has(name)) continue;
    await store.set(name, description);
    // From here on this package survives whatever happens to the process or the machine.
    written++;
    if (written % 500 === 0) process.stdout.write(`\r${written} written`);
  }
}));
console.log(`\r${written} written, ${store.size} of ${packages.length} packages in ${directory}`);

/** Names and descriptions in the output of `apt-cache dumpavail`. */
function readPackages(output: Uint8Array): Map<string, string> {
  const descriptions = new Map<string, string>();
  for (const paragraph of new TextDecoder().decode(output).split("\n\n")) {
    const name = /^Package: (.+)$/m.exec(paragraph)?.[1];
    const description = /^Description(?:-en)?: (.*(?:\n .*)*)/m.exec(paragraph)?.[1];
    if (name !== undefined && description !== undefined) descriptions.set(name, description);
  }
  return descriptions;
}
