/** Mutants that believe a length before it was held against its limit and the bytes there are. */

import type { MutantGroup } from "../mutant.ts";

const RECORD = "lib/format/record.ts";
const HINT_READER = "lib/log/hint_reader.ts";
const READER = "lib/log/segment_reader.ts";
const WHOLE_FILE = "lib/fs/whole_file.ts";

export const lengthMutants: MutantGroup = {
  name: "lengths before allocation",
  mutants: [
    {
      name: "frame: bytes left",
      file: RECORD,
      find: "return header.frameLength > available ? FRAME_SHORT : FRAME_OK;",
      replace: "return FRAME_OK;",
      why: "a torn frame would make a buffer of a gigabyte",
      tests: ["format/record", "log/segment_reader"],
    },
    {
      name: "frame: limits of key and value",
      file: RECORD,
      find: "lsn > LSN_LIMIT || !lengthsFit(op, keyLength, storedValueLength)",
      replace: "lsn > LSN_LIMIT",
      why: "a damaged length would be believed",
      tests: ["format/record"],
    },
    {
      name: "frame: limit of the version",
      file: RECORD,
      find: "lsn > LSN_LIMIT || !lengthsFit",
      replace: "!lengthsFit",
      why: "beyond 2^53 numbers are not exact",
      tests: ["format/record"],
    },
    {
      name: "frame: room for a header",
      file: RECORD,
      find: "  if (available < FRAME_OVERHEAD_BYTES) return FRAME_SHORT;\n",
      replace: "",
      why: "fields would be read from beyond the end",
      tests: ["log/shrinking_file"],
    },
    {
      name: "frame: magic number",
      file: RECORD,
      find:
        "  if (view.getUint32(at + MAGIC_OFFSET, true) !== FRAME_MAGIC) return FRAME_BAD_MAGIC;\n",
      replace: "",
      why: "the checksum does not cover it",
      tests: ["format/record"],
    },
    {
      name: "frame: format version",
      file: RECORD,
      find:
        `  if (view.getUint16(at + VERSION_OFFSET, true) !== FORMAT_VERSION) return FRAME_BAD_VERSION;
`,
      replace: "",
      why: "the checksum does not cover it",
      tests: ["format/record"],
    },
    {
      name: "frame: operation code",
      file: RECORD,
      find: "  if (op > OP_MAX) return FRAME_BAD_OP;\n",
      replace: "",
      why: "a frame of a meaning that is not known must not be passed over",
      tests: ["format/record"],
    },
    {
      name: "segment reader: a file that got shorter",
      file: READER,
      find: "    if (this.#bufferLength - this.at < frameLength) return FRAME_SHORT;\n",
      replace: "",
      why: "what an earlier read left in the buffer would be taken for the frame",
      tests: ["log/shrinking_file"],
    },
    {
      name: "segment reader: buffer no longer than the file",
      file: READER,
      find: "Math.max(FRAME_OVERHEAD_BYTES, Math.min(bufferBytes, end - start))",
      replace: "Math.max(FRAME_OVERHEAD_BYTES, READ_BYTES, end - start)",
      why: "memory is bounded, however long the file is",
      tests: ["log/segment_reader", "log/fuzz"],
    },
    {
      name: "hint block: bytes left, and its limit",
      file: HINT_READER,
      find: "byteLength > BLOCK_BYTES_LIMIT || byteLength > this.size - this.#position",
      replace: "byteLength < 0",
      why: "a damaged length would be believed",
      tests: ["log/hint_file"],
    },
    {
      name: "hint block: its limit",
      file: HINT_READER,
      find: "byteLength > BLOCK_BYTES_LIMIT || byteLength > this.size - this.#position",
      replace: "byteLength > this.size - this.#position",
      why: "a damaged length would be believed",
      tests: ["log/hint_entry"],
    },
    {
      name: "hint block: bytes left",
      file: HINT_READER,
      find: "byteLength > BLOCK_BYTES_LIMIT || byteLength > this.size - this.#position",
      replace: "byteLength > BLOCK_BYTES_LIMIT",
      why: "a damaged length would be believed",
      tests: ["log/hint_file"],
    },
    {
      name: "hint entry: key within its block",
      file: HINT_READER,
      find: "!isDataOp(this.op) || this.keyLength > this.#blockEnd - keyStart",
      replace: "!isDataOp(this.op)",
      why: "a key would be read from beyond the block",
      tests: ["log/hint_entry"],
    },
    {
      name: "hint entry: operation code",
      file: HINT_READER,
      find: "!isDataOp(this.op) || this.keyLength",
      replace: "this.keyLength",
      why: "an entry of a meaning that is not known must not be passed over",
      tests: ["log/hint_entry"],
    },
    {
      name: "hint entry: within its block",
      file: HINT_READER,
      find:
        '    if (this.#blockEnd - at < HINT_ENTRY_BYTES) return this.#fail("an entry is cut off");\n',
      replace: "",
      why: "fields would be read from beyond the block",
      tests: ["log/hint_entry"],
    },
    {
      name: "hint entry: expiry",
      file: HINT_READER,
      find:
        '      if (!isExpiry(this.expiresAt)) return this.#fail("an entry has an impossible expiry");\n',
      replace: "",
      why: "the index could not hold it",
      tests: ["log/hint_file"],
    },
    {
      name: "small files: read no more than can be right",
      file: WHOLE_FILE,
      find: "    if (size > bytesMax) {\n",
      replace: "    if (size < 0) {\n",
      why: "a damaged or foreign file would be read into memory whole",
      tests: ["fs/whole_file"],
    },
    {
      name: "short reads",
      file: WHOLE_FILE,
      find: `    const count = file.read(buffer, offset + done, length - done, position + done);
    if (count === 0) break;
    done += checkedCount(count, length - done);
  }`,
      replace: `    const count = file.read(buffer, offset + done, length - done, position + done);
    done += count === 0 ? 0 : checkedCount(count, length - done);
    break;
  }`,
      why: "a read that was cut short is no end of the file",
      tests: ["fs/whole_file"],
    },
    {
      name: "short reads on another thread",
      file: WHOLE_FILE,
      find: `    if (count === 0) break;
    done += checkedCount(count, length - done);
  }
  return done;
}

/**
 * Writes`,
      replace: `    done += count === 0 ? 0 : checkedCount(count, length - done);
    break;
  }
  return done;
}

/**
 * Writes`,
      why: "a read that was cut short is no end of the file",
      tests: ["fs/whole_file"],
    },
    {
      name: "short writes",
      file: WHOLE_FILE,
      find: `    const count = file.write(buffer, offset + done, length - done, position + done);
    done += acceptedCount(file, count, length - done);
`,
      replace: `    const count = file.write(buffer, offset + done, length - done, position + done);
    done += acceptedCount(file, count, length - done);
    break;
`,
      why: "what was acknowledged would not be in the file",
      tests: ["fs/whole_file"],
    },
    {
      name: "short writes, asynchronously",
      file: WHOLE_FILE,
      find: `file.write(buffer, ...range));
    done += acceptedCount(file, count, length - done);
`,
      replace: `file.write(buffer, ...range));
    done += acceptedCount(file, count, length - done);
    break;
`,
      why: "what was compacted would not be in the file",
      tests: ["fs/whole_file"],
    },
    {
      name: "values too long",
      file: "lib/store/record_encoder.ts",
      find:
        "    if (value.length > this.#valueBytesMax) throw this.#valueTooLarge(key, value.length);\n",
      replace: "",
      why: "what is written must be possible to read",
      tests: ["store/bad_input", "store/sizes"],
    },
    {
      name: "batches too long",
      file: "lib/store/record_encoder.ts",
      find: "    if (room <= BATCH_BYTES_LIMIT) return room;\n",
      replace: "    if (room > 0) return room;\n",
      why: "a batch lies in one segment, whose offsets fit 31 bits",
      tests: ["store/bad_input", "store/sizes", "store/batch"],
    },
    {
      name: "inspect: block of a hint file",
      file: "lib/tools/inspect_hint.ts",
      find: "byteLength > BLOCK_BYTES_LIMIT || byteLength > room",
      replace: "byteLength < 0",
      why: "a damaged length would be believed",
      tests: ["tools/inspect"],
    },
    {
      name: "repair: segment longer than any",
      file: "lib/tools/salvage_source.ts",
      find: "surveySegment(file, Math.min(size, SEGMENT_BYTES_LIMIT), fileId, clock)",
      replace: "surveySegment(file, size, fileId, clock)",
      why: "offsets would not fit 31 bits",
      tests: ["tools/source_untouched"],
    },
  ],
};
