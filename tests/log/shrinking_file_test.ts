/** Files that are shorter than was believed, and buffers shorter than a header. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allocateBuffer,
  decodeFrameHeader,
  FRAME_OVERHEAD_BYTES,
  FRAME_SHORT,
  FrameHeader,
  OP_SET,
} from "../../lib/format/record.ts";
import type { File } from "../../lib/fs/file_system.ts";
import { SegmentReader } from "../../lib/log/segment_reader.ts";
import { makeFrame } from "../support/frames.ts";
import { memoryFile } from "../support/memory_file.ts";

test("nothing is read of a header that is not all there", () => {
  for (let length = 0; length < FRAME_OVERHEAD_BYTES; length++) {
    const { view } = allocateBuffer(length);
    assert.equal(decodeFrameHeader(view, 0, length, new FrameHeader()), FRAME_SHORT);
  }
});

test("a file cut while a long frame is read ends inside it", () => {
  const frame = makeFrame(OP_SET, 1, "key", new Uint8Array(3 << 20));
  const file = memoryFile(frame);
  let reads = 0;
  const shrinking: File = {
    path: file.path,
    read: (buffer, offset, length, position) => {
      // The first read has the header; the rest of the frame is gone by the next.
      if (++reads === 2) file.truncate(frame.length - 1);
      return file.read(buffer, offset, length, position);
    },
    readAsync: (...range) => file.readAsync(...range),
    write: (...range) => file.write(...range),
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  };
  const reader = new SegmentReader(shrinking, 0, frame.length);
  assert.equal(reader.next(), false);
  assert.equal(reader.status, FRAME_SHORT);
});
