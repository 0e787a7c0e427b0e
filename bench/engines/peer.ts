/**
 * Loads the packages that Cairn is compared with. They are installed in bench/peers, which has a
 * manifest and a lock of its own, so that nothing else of the project ever sees them.
 */

import { createRequire } from "node:module";

const require = createRequire(new URL("../peers/package.json", import.meta.url));

/** A package of bench/peers; `Shape` is what of it is used. */
export function requirePeer<Shape>(name: string): Shape {
  return require(name) as Shape;
}
