/** A file that stays open for as long as somebody reads it, whatever else happens to it. */

import { assert } from "../assert.ts";
import type { File } from "../fs/file_system.ts";

/** An open file that is closed when it was given up and nobody has it pinned any more. */
export class PinnedFile {
  readonly file: File;

  #pins = 0;
  #retired = false;

  constructor(file: File) {
    this.file = file;
  }

  /** Whether it was given up. A file that was not pinned before is closed. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Keeps the file open until {@link unpin}, even if it is retired. */
  pin(): void {
    this.#pins++;
  }

  /** Takes back one {@link pin}. */
  unpin(): void {
    assert(this.#pins > 0, "unpin without pin");
    this.#pins--;
    if (this.#retired && this.#pins === 0) this.file.close();
  }

  /** Nobody will pin the file anew: it is closed once nobody reads it. */
  retire(): void {
    this.#retired = true;
    if (this.#pins === 0) this.file.close();
  }
}
