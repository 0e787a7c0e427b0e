/** Puts a release together. */

import { createHash } from "node:crypto";
import config from "../../deno.json" with { type: "json" };
import { compile } from "../compile.ts";
import { commitOf, sourceDate } from "../source.ts";
import { ROOT } from "../toolchain.ts";
import { type ArchivedFile, tarGz, zip } from "./archive.ts";
import { billOfMaterials } from "./bill_of_materials.ts";
import { type ContainedPackage, licenceTexts, packagesOf } from "./contents.ts";
import { bunVersion, integrityOf } from "./lock_file.ts";
import { installRuntime } from "./runtime.ts";
import { executableName, releaseName, type Target } from "./target.ts";

/** The file of sums, in the format of `sha256sum --check`. */
const SUMS = "SHA256SUMS";

/**
 * Builds archives, SBOM and sums into a directory, in the place of an earlier release's, and shows a
 * line for each file. Returns their names. Throws, and leaves no sums behind, if a target cannot be
 * built.
 */
export async function buildRelease(
  targets: readonly Target[],
  directory: string,
  show: (line: string) => void,
): Promise<string[]> {
  const { version } = config;
  const date = await sourceDate();
  await Deno.mkdir(directory, { recursive: true });
  await removeEarlier(directory);
  const sums: { name: string; sum: string }[] = [];
  const put = async (name: string, bytes: Uint8Array) => {
    await Deno.writeFile(`${directory}/${name}`, bytes);
    sums.push({ name, sum: createHash("sha256").update(bytes).digest("hex") });
    show(`${name}: ${(bytes.length / 2 ** 20).toFixed(1)} MiB`);
  };

  let packages: ContainedPackage[] = [];
  for (const target of targets) {
    const { executable, contained } = await compileFor(target);
    packages = contained;
    const name = releaseName(version, target);
    const files: ArchivedFile[] = [
      { name: executableName(target), bytes: executable, executable: true },
      await projectFile("LICENSE"),
      await projectFile("README.md"),
      ...(target.os === "linux" ? [await projectFile("packaging/cairn.service")] : []),
      { name: "THIRD_PARTY_LICENSES.txt", bytes: encode(licenceTexts(packages, bunVersion())) },
    ];
    const pack = target.archive === "zip" ? zip : tarGz;
    await put(`${name}.${target.archive}`, await pack(name, files, date));
  }
  const bill = billOfMaterials({
    version,
    commit: await commitOf(),
    date,
    packages,
    runtimes: targets.map(({ runtimePackage: name }) => {
      const runtimeVersion = bunVersion();
      return { name, version: runtimeVersion, integrity: integrityOf(name, runtimeVersion) };
    }),
  });
  await put(`cairn-${version}.cdx.json`, encode(bill));
  const lines = sums.map(({ name, sum }) => `${sum}  ${name}\n`).sort();
  await Deno.writeTextFile(`${directory}/${SUMS}`, lines.join(""));
  return [...sums.map(({ name }) => name), SUMS];
}

/** Only what a release has put there is removed: somebody may have named the wrong directory. */
async function removeEarlier(directory: string): Promise<void> {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  const other = names.find((name) =>
    name !== SUMS && !/^cairn-\d[^/]*\.(?:gz|zip|json)$/.test(name)
  );
  if (other !== undefined) {
    throw new Error(
      `${directory} is not for releases alone: it has ${other}; name another by --out`,
    );
  }
  for (const name of names) await Deno.remove(`${directory}/${name}`);
}

async function compileFor(
  target: Target,
): Promise<{ executable: Uint8Array<ArrayBuffer>; contained: ContainedPackage[] }> {
  const runtime = await installRuntime(target);
  const directory = await Deno.makeTempDir({ dir: `${ROOT}/dist`, prefix: "release-" });
  try {
    const output = `${directory}/${executableName(target)}`;
    const metafile = `${directory}/metafile.json`;
    await compile({ output, metafile, target: { bunTarget: target.bunTarget, runtime } });
    return {
      executable: await Deno.readFile(output),
      contained: packagesOf(await Deno.readTextFile(metafile)),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function projectFile(path: string): Promise<ArchivedFile> {
  return { name: path.replace(/^.*\//, ""), bytes: await Deno.readFile(`${ROOT}/${path}`) };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
