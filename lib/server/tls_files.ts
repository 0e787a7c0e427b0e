/** A certificate with its chain, and its private key, both as the text of PEM. */
export interface TlsFiles {
  /** The certificate, and behind it those that lead to an authority's. */
  cert: string;
  /** Its private key. */
  key: string;
}
