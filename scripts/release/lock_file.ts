/** What deno.lock says about packages. */

import { ROOT } from "../toolchain.ts";

interface LockedPackage {
  /** `sha512-` and the hash in base64. */
  integrity?: string;
  /** Names; with a version behind them where there are several. */
  dependencies?: string[];
}

const lock = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.lock`)) as {
  specifiers: Record<string, string>;
  npm: Record<string, LockedPackage>;
};
const BUN_NAME = "npm:bun@";

/** The version of Bun that is in use. */
export function bunVersion(): string {
  const name = Object.keys(lock.specifiers).find((each) => each.startsWith(BUN_NAME));
  if (name === undefined) throw new Error(`deno.lock has no ${BUN_NAME}`);
  return name.slice(BUN_NAME.length);
}

/** What a package must be, to the last bit. */
export function integrityOf(name: string, version: string): string {
  const { integrity } = lockedPackage(name, version);
  if (integrity === undefined) throw new Error(`deno.lock has no hash of ${name}@${version}`);
  return integrity;
}

/** Names of the packages that a package depends on. */
export function dependenciesOf(name: string, version: string): string[] {
  const { dependencies = [] } = lockedPackage(name, version);
  return dependencies.map((each) => each.replace(/(?<=.)@.*$/, ""));
}

function lockedPackage(name: string, version: string): LockedPackage {
  // Behind the version may stand which peers it was resolved with.
  const found = Object.entries(lock.npm)
    .find(([id]) => id === `${name}@${version}` || id.startsWith(`${name}@${version}_`));
  if (found === undefined) throw new Error(`deno.lock has no ${name}@${version}: run deno install`);
  return found[1];
}
