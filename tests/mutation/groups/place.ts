/** Mutants that do not hold a frame against where it stands: versions, batches, the segment's own. */

import type { MutantGroup } from "../mutant.ts";

const SCANNER = "lib/log/segment_scanner.ts";
const REPLAY = "lib/store/replay.ts";
const WRITER = "lib/log/log_writer.ts";
const WRITE_PATH = "lib/store/write_path.ts";

export const placeMutants: MutantGroup = {
  name: "versions, batches, identity of segments",
  mutants: [
    {
      name: "versions ascend by one",
      file: SCANNER,
      find: ": lsn === this.lastLsn + 1;",
      replace: ": lsn > this.lastLsn;",
      why: "a record that is missing between two would go unnoticed",
      tests: ["log/segment_scanner"],
    },
    {
      name: "versions ascend in a compacted segment",
      file: SCANNER,
      find: "this.segmentHeader!.compacted ? lsn > this.lastLsn :",
      replace: "this.segmentHeader!.compacted ? lsn > 0 :",
      why: "an old block of the disk would be taken for records",
      tests: ["log/segment_scanner"],
    },
    {
      name: "values taken together: versions",
      file: SCANNER,
      find: "compacted ? lsn <= lastLsn : lsn !== lastLsn + 1",
      replace: "lsn <= lastLsn",
      why: "a record that is missing between two would go unnoticed",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: versions of a compacted segment",
      file: SCANNER,
      find: "compacted ? lsn <= lastLsn : lsn !== lastLsn + 1",
      replace: "!compacted && lsn !== lastLsn + 1",
      why: "an old block of the disk would be taken for records",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: limit of the version",
      file: SCANNER,
      find: ") || lsn > LSN_LIMIT) break;",
      replace: ")) break;",
      why: "beyond 2^53 numbers are not exact",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: limits of key and value",
      file: SCANNER,
      find: "keyLength === 0 || keyLength > KEY_BYTES_LIMIT || valueLength > VALUE_BYTES_LIMIT",
      replace: "keyLength + valueLength > KEY_BYTES_LIMIT + VALUE_BYTES_LIMIT",
      why: "an impossible length would be believed",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: other operations",
      file: SCANNER,
      find: "      if (view.getUint8(at + OP_OFFSET) !== OP_SET) break;\n",
      replace: "",
      why: "a delete would be taken for a value",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: in a batch",
      file: SCANNER,
      find: "    if (this.#batchEnd !== 0) return;\n",
      replace: "",
      why: "part of a batch would be taken for valid",
      tests: ["log/take_values"],
    },
    {
      name: "values taken together: none that was not checked",
      file: "lib/log/segment_reader.ts",
      find: "    return this.#run.isSound ? this.#runEnd - this.#bufferStart : this.nextAt;\n",
      replace: "    return this.#runEnd - this.#bufferStart;\n",
      why: "damage would be taken for records",
      tests: ["log/take_values"],
    },
    {
      name: "segments do not overlap",
      file: REPLAY,
      find: "newest !== undefined && firstLsn <= newest.lastLsn",
      replace: "newest !== undefined && firstLsn < 0",
      why: "an older value would be replayed over a newer one",
      tests: ["crash/misplaced_files", "crash/active_damage", "crash/store_fuzz"],
    },
    {
      name: "verify: segments do not overlap",
      file: "lib/tools/verify.ts",
      find: "      if (scanner.lastLsn < this.#lastLsn) {\n",
      replace: "      if (scanner.lastLsn < 0) {\n",
      why: "an older value would be replayed over a newer one",
      tests: ["tools/verify_segments"],
    },
    {
      name: "versions are not given out twice",
      file: WRITER,
      find: '    assert(lsn === this.#lsnAppended + 1, "LSNs ascend by one");\n',
      replace: "",
      why: "a defect of Cairn's must not reach the disk",
      tests: ["store/batch", "log/recovery"],
      equivalent: {
        because: "an assertion: no input can reach it as long as the rest is right",
      },
    },
    {
      name: "batch: all of it is there",
      file: SCANNER,
      find: "    if (seen !== count || ahead.next() || ahead.status !== FRAME_OK) {\n",
      replace: "    if (seen > count) {\n",
      why: "half of a batch would be seen after a crash",
      tests: ["log/segment_scanner", "crash/power_cut"],
    },
    {
      name: "batch: that it ends where it says",
      file: SCANNER,
      find: "seen !== count || ahead.next() || ahead.status !== FRAME_OK",
      replace: "seen !== count",
      why: "the frames behind it would be read from the wrong place",
      tests: ["log/segment_scanner"],
    },
    {
      name: "batch: that it is as long as the file",
      file: SCANNER,
      find: '    if (start + byteLength > this.#end) return "the file ends inside a batch";\n',
      replace: "",
      why: "half of a batch would be seen after a crash",
      tests: ["log/segment_scanner", "crash/torn_tail"],
    },
    {
      name: "batch: versions of its records",
      file: SCANNER,
      find: "ahead.header.lsn === this.lastLsn + seen + 1 && ",
      replace: "",
      why: "what follows the BATCH frame may be an old block of the disk",
      tests: ["log/segment_scanner"],
    },
    {
      name: "batch: its own version",
      file: SCANNER,
      find:
        "    if (header.lsn !== this.lastLsn + count) return `batch LSN ${header.lsn} does not fit`;\n",
      replace: "",
      why: "a BATCH frame of an old block would announce others' records",
      tests: ["log/segment_scanner"],
    },
    {
      name: "batch: inside of another one, or empty",
      file: SCANNER,
      find: "this.#batchEnd !== 0 || count === 0 || this.segmentHeader!.compacted",
      replace: "count < 0",
      why: "Cairn writes no such thing",
      tests: ["log/segment_scanner"],
    },
    {
      name: "batch: a torn one is cut off as a whole",
      file: SCANNER,
      find: "    if (end >= this.#batchEnd) {\n",
      replace: "    if (end >= 0) {\n",
      why: "half of a batch would be left before the cut",
      tests: ["log/segment_scanner"],
      equivalent: {
        because:
          "all frames of a batch were read ahead and found sound before the first is handed out",
        together: "batch: a torn one is cut off as a whole, without looking ahead",
      },
    },
    {
      name: "batch: a torn one is cut off as a whole, without looking ahead",
      file: SCANNER,
      find: "    if (end >= this.#batchEnd) {\n",
      replace: "    if (end >= 0) {\n",
      and: [{
        file: SCANNER,
        find: "    if (seen !== count || ahead.next() || ahead.status !== FRAME_OK) {\n",
        replace: "    if (seen > count) {\n",
      }],
      why: "half of a batch would be left before the cut",
      tests: ["log/segment_scanner"],
    },
    {
      name: "batch: written in one segment",
      file: WRITE_PATH,
      find: "    at = writer.placeRecords(start, byteLength);\n",
      replace: "    at = start;\n",
      why: "a batch that is in two files is not all or nothing",
      tests: ["store/rotation", "store/batch"],
    },
    {
      name: "batch: not announced",
      file: WRITE_PATH,
      find:
        `      const crc = encodeBatchHeader(writer.buffer, at, firstLsn + count - 1, count, framesBytes);
      writer.appendControl(at, headerBytes, crc);
`,
      replace:
        `      const crc = encodeBatchHeader(writer.buffer, at, firstLsn + count - 1, 0, framesBytes);
      writer.appendControl(at, headerBytes, crc);
`,
      why: "after a crash half of it would be there",
      tests: ["crash/power_cut", "store/batch"],
    },
    {
      name: "batch: its conditions",
      file: WRITE_PATH,
      find: "      assertConditions(key, conditions, this.#currentVersion());\n    }\n",
      replace: "      void conditions;\n    }\n",
      why: "compare-and-set over several keys",
      tests: ["store/conditions", "store/batch"],
    },
    {
      name: "segment: of this store",
      file: SCANNER,
      find: "!segmentHeader.nodeId.every((byte, index) => byte === this.#expected.nodeId[index])",
      replace: "segmentHeader.nodeId.length < this.#expected.nodeId.length",
      why: "records of another store would be read as this one's",
      tests: ["log/segment_scanner", "crash/misplaced_files"],
    },
    {
      name: "segment: the one that its name says",
      file: SCANNER,
      find: "    if (segmentHeader.fileId !== this.#expected.fileId) {\n",
      replace: "    if (segmentHeader.fileId < 0) {\n",
      why: "segments under each other's names would be read in the wrong order",
      tests: ["log/segment_scanner", "crash/misplaced_files"],
    },
    {
      name: "segment: begins with its own frame",
      file: SCANNER,
      find:
        '    if (header.op !== OP_SEGMENT) return this.#stop("the file does not begin with a SEGMENT frame");\n',
      replace: "",
      why: "nothing would be known of whose file it is",
      tests: ["log/segment_scanner"],
    },
    {
      name: "segment: that frame again inside of it",
      file: SCANNER,
      find: '        return "a SEGMENT frame stands inside the file";\n',
      replace: "        return undefined;\n",
      why: "an old block of another segment would be taken for this one's",
      tests: ["log/segment_scanner"],
    },
    {
      name: "segment: a damaged first frame is refused",
      file: REPLAY,
      find:
        "      // The header was synced before ACTIVE named the file.\n      damagedBelowDurable: true,",
      replace: "      damagedBelowDurable: file === undefined,",
      why: "the message says why nothing may be cut off",
      tests: ["crash/torn_tail", "crash/bit_flip", "crash/active_damage"],
      equivalent: {
        because: "refusing is what the function is for; the table only gives the reason in words",
      },
    },
    {
      name: "expiry: at a time that can be",
      file: SCANNER,
      find: `        return expiryIsPossible(this.reader)
          ? this.#checkLsn(header.lsn)
          : "a record expires at an impossible time";`,
      replace: "        return this.#checkLsn(header.lsn);",
      why: "the index could not hold it",
      tests: ["log/segment_scanner"],
    },
    {
      name: "expiry: at a time that can be, in a batch",
      file: SCANNER,
      find: " && expiryIsPossible(ahead)\n",
      replace: "\n",
      why: "half of a batch would be handed out",
      tests: ["log/segment_scanner"],
    },
  ],
};
