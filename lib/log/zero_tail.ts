/** Zeros at the end of a segment, which stand for nothing: space kept ready, or left by a crash. */

import { type Readable, readFully } from "../fs/whole_file.ts";

const CHUNK_BYTES = 64 << 10;

/**
 * The offset behind the last byte of a file of `size` bytes that is not zero. All frames begin
 * before it; the last one may reach beyond it, as a frame may end with zeros. Of a segment that is
 * being written to, that is where its frames ended at the moment of the call: what is written
 * later, into space that was kept ready, is behind it.
 */
export function endOfFrames(file: Readable, size: number): number {
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, size));
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunk.length);
    let at = readFully(file, chunk, 0, end - start, start);
    while (at > 0 && chunk[at - 1] === 0) at--;
    if (at > 0) return start + at;
    end = start;
  }
  return 0;
}
