/** What the executable is made of: the packages whose modules went into it, and their licences. */

import { ROOT } from "../toolchain.ts";
import { dependenciesOf, integrityOf } from "./lock_file.ts";

/** A package from npm, modules of which are in the executable. */
export interface ContainedPackage {
  name: string;
  version: string;
  description: string;
  homepage: string | undefined;
  /** As an expression of SPDX. */
  licence: string;
  /** As in deno.lock: `sha512-` and base64. */
  integrity: string;
  /** Names of those that it depends on itself. */
  dependencies: string[];
  /** Text of its licence, which must be handed on. */
  licenceText: string;
}

interface Manifest {
  description?: string;
  homepage?: string;
  license?: string;
}

/** The packages that a metafile of Bun names, in the order of their names. */
export function packagesOf(metafile: string): ContainedPackage[] {
  const { inputs } = JSON.parse(metafile) as { inputs: Record<string, unknown> };
  const pattern =
    /node_modules\/\.deno\/[^/]+@([^@/_]+)[^/]*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;
  const found = new Map<string, ContainedPackage>();
  for (const path of Object.keys(inputs)) {
    const [directory, version, name] = pattern.exec(path) ?? [];
    if (name === undefined) {
      if (path.includes("node_modules/")) throw new Error(`${path}: of which package is that?`);
      continue;
    }
    if (!found.has(name)) found.set(name, describe(name, version!, `${ROOT}/${directory}`));
  }
  return [...found.values()].sort((left, right) => left.name < right.name ? -1 : 1);
}

function describe(name: string, version: string, directory: string): ContainedPackage {
  const manifest = JSON.parse(Deno.readTextFileSync(`${directory}package.json`)) as Manifest;
  const files = [...Deno.readDirSync(directory)].map((entry) => entry.name);
  const file = files.find((each) => /^licen[cs]e(?:\.\w+)?$/i.test(each));
  if (manifest.license === undefined || file === undefined) {
    throw new Error(`${name}@${version} does not say what its licence is: see ${directory}`);
  }
  return {
    name,
    version,
    description: manifest.description ?? "",
    homepage: manifest.homepage,
    licence: manifest.license,
    integrity: integrityOf(name, version),
    dependencies: dependenciesOf(name, version),
    licenceText: Deno.readTextFileSync(directory + file).trim(),
  };
}

/** The licences of everything in the executable that others have written, as a text. */
export function licenceTexts(packages: readonly ContainedPackage[], bunVersion: string): string {
  const rule = "-".repeat(80);
  const bun =
    `This executable contains Bun ${bunVersion}, which is under the MIT licence and in turn ` +
    "contains\nJavaScriptCore (LGPL-2.1) and other programs. What they are, and how to link Bun " +
    "anew\nwith another JavaScriptCore: https://bun.com/docs/project/license\n";
  const texts = packages.map(({ name, version, licence, licenceText }) =>
    `${rule}\n${name} ${version} (${licence})\n${rule}\n\n${licenceText}\n`
  );
  return [bun, ...texts].join("\n");
}
