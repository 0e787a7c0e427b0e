/**
 * Bun's executables for other platforms. They are packages of npm, and what they must be, to the
 * last bit, is in deno.lock as for every other package: Bun itself installs them, against a lock
 * file that is made of it. What Bun would fetch by itself for a `--target` it would not check.
 */

import { BUN, ROOT } from "../toolchain.ts";
import { bunVersion, integrityOf } from "./lock_file.ts";
import { executableName, type Target } from "./target.ts";

const HEAD_BYTES = 4096;
/** Where they are kept between releases. */
const RUNTIMES = `${ROOT}/dist/runtimes`;

/**
 * Installs Bun's executable for a platform, unless it is there; returns its path. That of this very
 * platform is there: `deno install` has checked it against the same deno.lock.
 */
export async function installRuntime(target: Target, runtimes = RUNTIMES): Promise<string> {
  if (await isOwnPlatform(target)) return BUN;
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

async function isOwnPlatform({ name, os, cpu }: Target): Promise<boolean> {
  const own = { linux: "linux", darwin: "darwin", windows: "win32" } as Record<string, string>;
  if (os !== own[Deno.build.os] || cpu !== (Deno.build.arch === "x86_64" ? "x64" : "arm64")) {
    return false;
  }
  // Which C library a program is for is in what it is loaded by, at its beginning.
  using file = await Deno.open(BUN);
  const head = new Uint8Array(HEAD_BYTES);
  const count = await file.read(head) ?? 0;
  const isForMusl = new TextDecoder("latin1").decode(head.subarray(0, count)).includes("/ld-musl-");
  return name.endsWith("-musl") === isForMusl;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((found) => found.isFile, () => false);
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value, undefined, 2) + "\n");
}
