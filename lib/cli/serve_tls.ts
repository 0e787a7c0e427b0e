/** Certificate and key of `cairn serve`, looked at before anybody connects. */

import type { KeyObject, X509Certificate as Certificate } from "node:crypto";
import type { TlsFiles } from "../server/http/mod.ts";
import { CliError } from "./cli_error.ts";
import { EXIT_CODE } from "./exit_code.ts";
import { readSecretFile, readTextFile } from "./secret_file.ts";

/** Where certificate and key are. */
export interface TlsSources {
  tlsCert?: string;
  tlsKey?: string;
}

/** What was found. */
export interface LoadedTls {
  tls: TlsFiles;
  /** Until when the certificate is valid, in milliseconds since the epoch. */
  validUntil: number;
  /** And from when. */
  validFrom: number;
}

/** Reads both, or neither if none is named. */
export async function loadTls({ tlsCert, tlsKey }: TlsSources): Promise<LoadedTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new CliError(EXIT_CODE.usage, "--tls-cert and --tls-key go together: give both");
  }
  const cert = readTextFile("--tls-cert", tlsCert);
  const key = readSecretFile("--tls-key", tlsKey);
  // Loaded here, so that the other commands start without it.
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  let certificate: Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new CliError(EXIT_CODE.usage, `--tls-cert ${tlsCert} holds no certificate in PEM form`);
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw new CliError(
      EXIT_CODE.usage,
      `--tls-key ${tlsKey} holds no private key in PEM form without a passphrase`,
    );
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CliError(
      EXIT_CODE.usage,
      `the key in ${tlsKey} does not belong to the certificate in ${tlsCert}`,
    );
  }
  return {
    tls: { cert, key },
    validUntil: Date.parse(certificate.validTo),
    validFrom: Date.parse(certificate.validFrom),
  };
}
