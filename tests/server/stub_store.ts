/** A store that does what a test says, for what no real one does on demand. */

import type { StoreApi } from "../../lib/server/http/mod.ts";

/** A store of which only `methods` may be called; one key of a few bytes seems to exist. */
export function stubStore(methods: Partial<StoreApi>): StoreApi {
  const unexpected = () => {
    throw new Error("the test did not expect this call");
  };
  return {
    failure: undefined,
    stat: () => ({ version: 1, size: 5 }),
    getEntry: unexpected,
    getEntrySync: unexpected,
    scan: unexpected,
    changes: unexpected,
    snapshot: unexpected,
    set: unexpected,
    delete: unexpected,
    batch: unexpected,
    flush: unexpected,
    compact: unexpected,
    stats: unexpected,
    ...methods,
  };
}
