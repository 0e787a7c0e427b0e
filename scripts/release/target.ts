/** The platforms that there are executables for. */

/** A platform, and how its executable is made and packed. */
export interface Target {
  /** What users look for: system, processor, and the C library where it is not the usual one. */
  name: string;
  /** What Bun calls it. */
  bunTarget: string;
  /** The package with Bun's executable for it, which becomes part of ours. */
  runtimePackage: string;
  /** As the packages of npm have it: what Bun is told to install for. */
  os: "linux" | "darwin" | "win32";
  cpu: "x64" | "arm64";
  archive: "tar.gz" | "zip";
}

/**
 * There is one executable for all x64 processors, without a "baseline" beside it: Bun 1.4 has one
 * build for them, which looks at run time what the processor can do.
 */
export const TARGETS: readonly Target[] = [
  linux("linux-x64", "x64", "linux-x64"),
  linux("linux-arm64", "arm64", "linux-aarch64"),
  linux("linux-x64-musl", "x64", "linux-x64-musl"),
  linux("linux-arm64-musl", "arm64", "linux-aarch64-musl"),
  macos("macos-x64", "x64", "darwin-x64"),
  macos("macos-arm64", "arm64", "darwin-aarch64"),
  {
    name: "windows-x64",
    bunTarget: "bun-windows-x64",
    runtimePackage: "@oven/bun-windows-x64",
    os: "win32",
    cpu: "x64",
    archive: "zip",
  },
];

/** What the executable is called within its archive. */
export function executableName({ os }: Target): string {
  return os === "win32" ? "cairn.exe" : "cairn";
}

/** The name of an archive, and of the one directory in it. */
export function releaseName(version: string, { name }: Target): string {
  return `cairn-${version}-${name}`;
}

function linux(name: string, cpu: Target["cpu"], bunName: string): Target {
  return { ...named(name, cpu, bunName), os: "linux" };
}

function macos(name: string, cpu: Target["cpu"], bunName: string): Target {
  return { ...named(name, cpu, bunName), os: "darwin" };
}

function named(name: string, cpu: Target["cpu"], bunName: string): Omit<Target, "os"> {
  return {
    name,
    bunTarget: `bun-${bunName}`,
    runtimePackage: `@oven/bun-${bunName}`,
    cpu,
    archive: "tar.gz",
  };
}
