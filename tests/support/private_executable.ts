/** The executable under test, as it was when a test began: a build may replace it meanwhile. */

import { copyFileSync } from "node:fs";
import { CAIRN } from "./cairn_process.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** A copy of the executable, with a directory around it to work in. */
export class PrivateExecutable implements Disposable {
  readonly #directory = new TemporaryDirectory();
  /** The path of the copy. */
  readonly path: string;

  constructor() {
    this.path = this.#directory.join("cairn");
    copyFileSync(CAIRN, this.path);
  }

  /** A path beside it. */
  join(...names: string[]): string {
    return this.#directory.join(...names);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}
