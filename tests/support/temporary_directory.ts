/** A directory of a test's own, gone when the test is over. */

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Use it with `using`, so that the directory goes whatever happens. */
export class TemporaryDirectory implements Disposable {
  /** Its real path: no symbolic link in it. */
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(realpathSync(tmpdir()), "cairn-test-"));
  }

  /** The path of something in it. */
  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}
