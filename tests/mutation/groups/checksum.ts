/** Mutants that believe bytes whose checksum does not hold. */

import type { MutantGroup } from "../mutant.ts";

const SOURCE = "lib/store/record_source.ts";
const RECORD_COPY = "lib/tools/record_copy.ts";

export const checksumMutants: MutantGroup = {
  name: "checksums",
  mutants: [
    {
      name: "frames read in order: a single one",
      file: "lib/log/segment_reader.ts",
      find: `    return run.isSound ||
      readFrameCrc(this.buffer.view, this.at, frameLength) ===
        computeFrameCrc(this.buffer.bytes, this.at, frameLength);`,
      replace:
        "    return run.isSound || readFrameCrc(this.buffer.view, this.at, frameLength) >= 0;",
      why: "damage would be taken for records",
      tests: ["log/segment_reader"],
    },
    {
      name: "frames read in order: many together",
      file: "lib/format/frame_run.ts",
      find: "      this.isSound = crc32(bytes.subarray(start, at)) === expected;\n",
      replace: "      this.isSound = crc32(bytes.subarray(start, at)) !== ~expected;\n",
      why: "damage would be taken for records",
      tests: ["format/frame_run", "log/segment_reader"],
    },
    {
      name: "frames read in order: those behind others that were checked",
      file: "lib/log/segment_reader.ts",
      find: "    if (offset >= this.#runEnd) {\n",
      replace: "    if (offset >= this.#runEnd && !run.isSound) {\n",
      why: "only the beginning of a segment would be checked",
      tests: ["log/segment_reader"],
    },
    {
      name: "decodeFrame",
      file: "lib/format/record.ts",
      find: `  return stored === computeFrameCrc(buffer.bytes, at, header.frameLength)
    ? FRAME_OK
    : FRAME_BAD_CRC;`,
      replace: "  return stored === stored ? FRAME_OK : FRAME_BAD_CRC;",
      why: "damage would be taken for marks",
      tests: ["format/record"],
    },
    {
      name: "reading a value: that of its bytes",
      file: SOURCE,
      find: "computeFrameCrc(buffer.bytes, at, frameLength) !== crc",
      replace: "false",
      why: "a damaged value would be handed out",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "reading a value: that of its bytes, in a short record",
      file: SOURCE,
      find: "this.#checked.crc32(frameLength - OP_OFFSET - FRAME_TRAILER_BYTES) !== crc",
      replace: "false",
      why: "a damaged value would be handed out",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "reading a value: the stored one against the indexed one",
      file: SOURCE,
      find: "      readFrameCrc(buffer.view, at, frameLength) !== crc ||\n",
      replace: "",
      why: "damage to the stored checksum would go unnoticed",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "reading a value: both",
      file: SOURCE,
      find: `      readFrameCrc(buffer.view, at, frameLength) !== crc ||
      (buffer === this.#scratch && frameLength <= SHORT_FRAME_BYTES_MAX
        ? this.#checked.crc32(frameLength - OP_OFFSET - FRAME_TRAILER_BYTES) !== crc
        : computeFrameCrc(buffer.bytes, at, frameLength) !== crc)
`,
      replace: "      crc < 0\n",
      why: "a damaged value would be handed out",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "reading a value: a file that ends inside it",
      file: SOURCE,
      find: `    const count = readFully(segment.file, buffer.bytes, 0, frameLength, offset);
    if (count < frameLength) throw this.#damaged(segment, offset, "the file ends inside it");
`,
      replace: "    readFully(segment.file, buffer.bytes, 0, frameLength, offset);\n",
      why: "what an earlier read left in the buffer could be taken for the value",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "reading a long value: a file that ends inside it",
      file: SOURCE,
      find:
        `      const count = await readFullyAsync(segment.file, buffer.bytes, 0, frameLength, offset);
      if (count < frameLength) throw this.#damaged(segment, offset, "the file ends inside it");
`,
      replace: "      await readFullyAsync(segment.file, buffer.bytes, 0, frameLength, offset);\n",
      why: "the message says what is wrong",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "ACTIVE",
      file: "lib/format/active.ts",
      find: "view.getUint32(bytes.length - 4, true) !== crc32(bytes, 0, bytes.length - 4)",
      replace: "bytes.length < 4",
      why: "a damaged list of segments would be believed",
      tests: ["format/active"],
    },
    {
      name: "hint file: header",
      file: "lib/format/hint.ts",
      find: "view.getUint32(HINT_FIELDS.crc, true) !== crc32(bytes, 0, HINT_FIELDS.crc)",
      replace: "bytes.length < HINT_FIELDS.crc",
      why: "a damaged count or length would be believed",
      tests: ["format/hint"],
    },
    {
      name: "hint file: block",
      file: "lib/log/hint_reader.ts",
      find:
        '    if (crc32(bytes, 0, byteLength) !== crc) return this.#fail("a block\'s checksum does not match");\n',
      replace: "",
      why: "index entries made of damage would point anywhere",
      tests: ["log/hint_file"],
    },
    {
      name: "compaction: damage in a segment to rewrite",
      file: "lib/store/compaction.ts",
      find: "    if (scanner.problem !== undefined) {\n      const { path } = input.file;",
      replace: "    if (this.#cancelled) {\n      const { path } = input.file;",
      why: "what stands behind the damage would be dropped with the old segment",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "compaction: damage in its own hint file",
      file: "lib/store/compaction.ts",
      find: "      if (hint.problem !== undefined) {\n",
      replace: "      if (inputs.length === 0) {\n",
      why: "entries that were not moved would point at a removed segment",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "hint builder: damage in the segment",
      file: "lib/store/hint_builder.ts",
      find: "scanner.problem !== undefined || !scanner.endsWithMark",
      replace: "!scanner.endsWithMark",
      why: "the hint would hide the damage, and all that stands behind it",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "repair: record read a second time",
      file: RECORD_COPY,
      find:
        `  return decodeFrame(frame, 0, count, header) === FRAME_OK && header.frameLength === frameLength &&
    readFrameCrc(frame.view, 0, frameLength) === crc;`,
      replace: "  return count >= 0 && header.frameLength >= 0 && crc >= 0;",
      why: "a disk that fails would put rubbish into the new store",
      tests: ["tools/changing_source"],
    },
    {
      name: "repair: record read a second time, its bytes",
      file: RECORD_COPY,
      find: "decodeFrame(frame, 0, count, header) === FRAME_OK && header.frameLength",
      replace: "decodeFrame(frame, 0, count, header) >= FRAME_OK && header.frameLength",
      why: "a disk that fails would put rubbish into the new store",
      tests: ["tools/changing_source"],
    },
    {
      name: "repair: record read a second time, which one it is",
      file: RECORD_COPY,
      find: " &&\n    readFrameCrc(frame.view, 0, frameLength) === crc;",
      replace: " &&\n    crc >= 0;",
      why: "a file that changes meanwhile would put another record in its place",
      tests: ["tools/changing_source"],
    },
    {
      name: "repair: frames found behind damage, within the window",
      file: "lib/tools/frame_search.ts",
      find: "decodeFrame(this.#window, at, frameLength, this.#header) === FRAME_OK\n",
      replace: "decodeFrame(this.#window, at, frameLength, this.#header) >= FRAME_OK\n",
      why: "damage would be taken for records",
      tests: ["tools/frame_search"],
    },
    {
      name: "repair: frames found behind damage, longer ones",
      file: "lib/tools/frame_search.ts",
      find: "return decodeFrame(frame, 0, count, this.#header) === FRAME_OK ? frame : undefined;",
      replace: "return decodeFrame(frame, 0, count, this.#header) >= FRAME_OK ? frame : undefined;",
      why: "damage would be taken for records",
      tests: ["tools/frame_search"],
    },
    {
      name: "tools: that which tells a newer ACTIVE from a damaged one",
      file: "lib/tools/trailing_checksum.ts",
      find: "view.getUint32(bytes.length - 4, true) === crc32(bytes, 0, bytes.length - 4)",
      replace: "view.byteLength >= crc32(bytes, 0, 0)",
      why: "a damaged ACTIVE would be called one of a newer Cairn, and not be repaired",
      tests: ["tools/verify", "tools/repair_segments"],
    },
    {
      name: "verify: a newer ACTIVE",
      file: "lib/tools/verify.ts",
      find: "      if (unsupported && endsWithChecksum(bytes)) {\n",
      replace: "      if (unsupported) {\n",
      why: "a damaged ACTIVE would be called one of a newer Cairn",
      tests: ["tools/verify"],
    },
    {
      name: "repair: a newer ACTIVE",
      file: "lib/tools/salvage_source.ts",
      find: "decoded.unsupported && endsWithChecksum(bytes)",
      replace: "decoded.unsupported",
      why: "a damaged ACTIVE would be called one of a newer Cairn, and not be repaired",
      tests: ["tools/repair_segments"],
    },
    {
      name: "inspect: block of a hint file",
      file: "lib/tools/inspect_hint.ts",
      find: "crc32(buffer.bytes, 0, block.byteLength) !== block.crc",
      replace: "block.byteLength > buffer.bytes.length",
      why: "damage would be shown as entries",
      tests: ["tools/inspect", "tools/verify"],
    },
    {
      name: "verify: checksum of a record against its hint entry",
      file: "lib/tools/entry_check.ts",
      find: "trailer.view.getUint32(0, true) === entry.crc && this.#hasKeyOf(entry)",
      replace: "this.#hasKeyOf(entry)",
      why: "a hint of an older state of the record would be called sound",
      tests: ["tools/verify_segments"],
    },
  ],
};
