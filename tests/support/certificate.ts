/** Certificates of a test's own, by openssl. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import type { TemporaryDirectory } from "./temporary_directory.ts";

/** Why there can be no tests with certificates here; undefined if there can. */
export const opensslMissing: string | undefined = spawnSync("openssl", ["version"]).status === 0
  ? undefined
  : "no openssl here";

/** Files with a certificate for this machine, signed by itself, and its key. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** Makes a certificate with this name as its subject; one for -1 days has expired. */
export function makeCertificate(
  directory: TemporaryDirectory,
  name: string,
  days = 90,
): CertificateFiles {
  const files = { cert: directory.join(`${name}.crt`), key: directory.join(`${name}.key`) };
  openssl([
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", files.key, "-out", files.cert, "-subj", `/CN=${name}`],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
  ]);
  // Only this command takes a negative number of days.
  openssl([
    "x509",
    "-in",
    files.cert,
    "-signkey",
    files.key,
    "-days",
    `${days}`,
    "-out",
    files.cert,
  ]);
  chmodSync(files.key, 0o600);
  return files;
}

function openssl(args: string[]): void {
  const { status, stderr } = spawnSync("openssl", args);
  assert.equal(status, 0, String(stderr));
}
