/** Runs `scripts/release.ts`, and reads what it builds. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** The platform of this machine, by the name that releases have for it. */
export const HOST = `${process.platform.replace("darwin", "macos")}-${process.arch}`;

/** Runs it with options; changed files are allowed. */
export function runRelease(...options: string[]): { status: number | null; stderr: string } {
  const args = ["run", "--frozen", "-A", "scripts/release.ts", "--modified", ...options];
  return spawnSync(process.execPath, args, { cwd: PROJECT, encoding: "utf8" });
}

/** Runs a program of TypeScript that may import the project's files; returns what it prints. */
export function runProgram(code: string, env: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [
    "run",
    "--frozen",
    "-A",
    "--ext=ts",
    "-",
  ], {
    cwd: PROJECT,
    encoding: "utf8",
    input: code.replaceAll("./scripts/", `file://${PROJECT}scripts/`),
    env: { ...process.env, ...env },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** A release, read into memory. */
export interface ReleaseFiles {
  names: string[];
  /** The archive, which is the only one. */
  archive: string;
  bill: Bill;
  /** Lines of the file of sums that do not fit the files. */
  wrongSums: string[];
  summed: string[];
}

/** What a test reads of a bill of materials. */
export interface Bill {
  metadata: { timestamp: string; component: { version: string; properties: unknown[] } };
  components: BillComponent[];
}

/** A component of a bill of materials. */
export interface BillComponent {
  type: string;
  name: string;
  group?: string;
  version: string;
  purl: string;
  hashes: { alg: string; content: string }[];
}

/** Reads what a release of one platform built. */
export function readRelease(directory: string): ReleaseFiles {
  const names = readdirSync(directory).sort();
  const lines = readFileSync(`${directory}/SHA256SUMS`, "utf8").split("\n");
  assert.equal(lines.pop(), "");
  const wrongSums = lines.filter((line) => {
    const [, sum, name] = /^([0-9a-f]{64}) {2}([\w.-]+)$/.exec(line) ?? [];
    if (name === undefined) return true;
    const bytes = readFileSync(`${directory}/${name}`);
    return createHash("sha256").update(bytes).digest("hex") !== sum;
  });
  const bill = names.find((name) => name.endsWith(".cdx.json"));
  const archive = names.find((name) => /\.(?:gz|zip)$/.test(name));
  return {
    names,
    archive: `${directory}/${archive}`,
    bill: JSON.parse(readFileSync(`${directory}/${bill}`, "utf8")),
    wrongSums,
    summed: lines.map((line) => line.slice(66)),
  };
}

/** A program of macOS of the smallest kind: a text, a place for a signature, and an old one. */
export function machoProgram(
  codeBytes: number,
  oldSignatureBytes: number,
): Uint8Array<ArrayBuffer> {
  const program = new Uint8Array(codeBytes + oldSignatureBytes).map((_, index) => index * 31);
  const header = Buffer.alloc(32 + 72 + 72 + 16);
  header.writeUInt32LE(0xfeedfacf, 0);
  header.writeUInt32LE(3, 16);
  const linkEditAt = codeBytes - 1000;
  const segments = [["__TEXT", 0, 8192], ["__LINKEDIT", linkEditAt, 1000 + oldSignatureBytes]];
  for (const [index, [name, offset, bytes]] of segments.entries()) {
    const at = 32 + 72 * index;
    header.writeUInt32LE(0x19, at);
    header.writeUInt32LE(72, at + 4);
    header.write(name as string, at + 8);
    header.writeBigUInt64LE(4096n, at + 32);
    header.writeBigUInt64LE(BigInt(offset as number), at + 40);
    header.writeBigUInt64LE(BigInt(bytes as number), at + 48);
  }
  const signature = 32 + 144;
  [0x1d, 16, codeBytes, oldSignatureBytes].forEach((value, index) =>
    header.writeUInt32LE(value, signature + 4 * index)
  );
  program.set(header);
  return program;
}
