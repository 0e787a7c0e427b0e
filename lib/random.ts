/** The randomness seam: node ids and hash seeds come from here, so that a test can fix them. */

/** Source of random bytes. */
export interface RandomSource {
  /** Fills `bytes` with random values. */
  fill(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The runtime's cryptographic generator. */
export const systemRandom: RandomSource = {
  fill: (bytes) => void crypto.getRandomValues(bytes),
};
