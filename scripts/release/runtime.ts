/**
 * Bun's executables for other platforms. They are packages of npm, and what they must be, to the
 * last bit, is in deno.lock as for every other package: Bun itself installs them, against a lock
 * file that is made of it. What Bun would fetch by itself for a `--target` it would not check.
 */

import { BUN, ROOT } from "../toolchain.ts";
import { bunVersion, integrityOf } from "./lock_file.ts";
import { executableName, type Target } from "./target.ts";

/** Where they are kept between releases. */
const RUNTIMES = `${ROOT}/dist/runtimes`;

/** Installs Bun's executable for a platform, unless it is there; returns its path. */
export async function installRuntime(target: Target, runtimes = RUNTIMES): Promise<string> {
  const { runtimePackage, os, cpu } = target;
  const version = bunVersion();
  const directory = `${runtimes}/${target.name}-${version}`;
  await Deno.mkdir(directory, { recursive: true });
  const project = { name: "runtime", dependencies: { [runtimePackage]: version } };
  const integrity = integrityOf(runtimePackage, version);
  await writeJson(`${directory}/package.json`, project);
  await writeJson(`${directory}/bun.lock`, {
    lockfileVersion: 1,
    workspaces: { "": project },
    packages: {
      [runtimePackage]: [`${runtimePackage}@${version}`, "", { os, cpu }, integrity],
    },
  });
  const { success, stderr } = await new Deno.Command(BUN, {
    args: ["install", "--frozen-lockfile", "--ignore-scripts", `--os=${os}`, `--cpu=${cpu}`],
    cwd: directory,
    stdout: "null",
    stderr: "piped",
  }).output();
  const program = executableName(target).replace("cairn", "bun");
  const path = `${directory}/node_modules/${runtimePackage}/bin/${program}`;
  if (success && await isFile(path)) return path;
  const reason = new TextDecoder().decode(stderr).trim().replaceAll(/\s*\n\s*/g, "; ");
  throw new Error(
    `${target.name} cannot be built: ${runtimePackage}@${version} was not to be had from npm` +
      `${reason === "" ? "" : `: ${reason}`}`,
  );
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((found) => found.isFile, () => false);
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value, undefined, 2) + "\n");
}
