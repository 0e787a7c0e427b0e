/** The end of a file that is written once more must be all there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { rewriteTail } from "../../lib/log/tail_rewrite.ts";
import { throwsAtOnce } from "../support/kv_error.ts";
import { memoryFile, shortened } from "../support/memory_file.ts";

test("a tail is written again from where it begins, by however little a read gives", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
  const file = memoryFile(bytes);
  const written = new Set<number>();
  const watched = shortened({
    path: file.path,
    read: (...range) => file.read(...range),
    readAsync: (...range) => file.readAsync(...range),
    write: (buffer, offset, length, position) => {
      for (let index = 0; index < length; index++) written.add(position + index);
      return file.write(buffer, offset, length, position);
    },
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  }, () => 7);
  rewriteTail(watched, 30, 100);
  assert.deepEqual([...written].sort((left, right) => left - right), [...bytes.subarray(30)]);
  const after = new Uint8Array(100);
  file.read(after, 0, 100, 0);
  assert.deepEqual(after, bytes);
});

test("a tail that cannot be read again is not vouched for", () => {
  for (const size of [30, 60]) {
    const file = memoryFile(new Uint8Array(size));
    const error = throwsAtOnce("Io", /had 100 bytes just now/, () => rewriteTail(file, 30, 100));
    assert.equal(error.offset, size);
  }
});
