/** A certificate with its chain, and its private key, both as PEM. */
export interface TlsFiles {
  cert: string;
  key: string;
}
