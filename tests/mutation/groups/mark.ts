/** Mutants of SYNC marks, which tell a torn tail from damage to what was durable. */

import type { MutantGroup } from "../mutant.ts";

const WRITER = "lib/log/log_writer.ts";
const RECOVERY = "lib/log/recovery.ts";
const REPLAY = "lib/store/replay.ts";
const SCANNER = "lib/log/segment_scanner.ts";

export const markMutants: MutantGroup = {
  name: "marks",
  mutants: [
    {
      name: "none is written with a group",
      file: WRITER,
      find: "    if (this.#segment.durableLength > this.#markedOffset) this.#appendMark();\n",
      replace: "",
      why: "damage to acknowledged writes could not be told from a torn tail",
      tests: ["crash/torn_tail", "crash/bit_flip", "crash/tail"],
    },
    {
      name: "they call durable what is not",
      file: WRITER,
      find: "      durableOffset: segment.durableLength,\n",
      replace: "      durableOffset: this.#bufferStart + at,\n",
      why: "a torn tail would be taken for damage",
      tests: ["log/mark", "crash/power_cut"],
    },
    {
      name: "they call too new a version durable",
      file: WRITER,
      find: "      durableLsn: Math.max(this.#lsnDurable, segment.firstLsn - 1),\n",
      replace: "      durableLsn: this.#lsnAppended,\n",
      why: "repair tells by it which versions were given out",
      tests: ["log/mark"],
    },
    {
      name: "writer: durable before the fsync has returned",
      file: WRITER,
      find: `    this.#syncSegment();
  }

  /** As`,
      replace: `    this.#noteDurable(this.#segment, this.#bufferStart, this.#lsnAppended, 0);
    this.#syncSegment();
  }

  /** As`,
      why: "after a failed fsync, what was not durable would be called so",
      tests: ["store/visibility", "crash/failing_disk", "crash/power_cut"],
    },
    {
      name: "writer: more durable than the pooled fsync covered",
      file: WRITER,
      find: "    this.#noteDurable(segment, offset, lsn, begin);\n",
      replace:
        "    this.#noteDurable(this.#segment, this.#bufferStart + this.#used, this.#lsnAppended, 0);\n",
      why: "what was appended meanwhile is in the buffer only",
      tests: ["store/visibility", "crash/power_cut"],
    },
    {
      name: "search: decoded without its checksum",
      file: RECOVERY,
      find: "decodeFrame(buffer, at, SYNC_FRAME_BYTES, header) === FRAME_OK",
      replace: "decodeFrame(buffer, at, SYNC_FRAME_BYTES, header) >= FRAME_OK",
      why: "a damaged mark would make a torn tail look like damage",
      tests: ["log/recovery"],
    },
    {
      name: "search: its own offset",
      file: RECOVERY,
      find: "mark.fileId === fileId && mark.ownOffset === position + at;",
      replace: "mark.fileId === fileId;",
      why: "a copy of a mark inside a value is no mark",
      tests: ["log/recovery", "crash/tail"],
    },
    {
      name: "search: its file",
      file: RECOVERY,
      find: "mark.fileId === fileId && mark.ownOffset === position + at;",
      replace: "mark.ownOffset === position + at;",
      why: "an old block of another segment is no mark of this one",
      tests: ["log/recovery", "crash/tail"],
    },
    {
      name: "search: an offset beyond itself",
      file: RECOVERY,
      find: "        if (isOwn && mark.durableOffset <= mark.ownOffset) {\n",
      replace: "        if (isOwn) {\n",
      why: "no mark can know what comes behind it",
      tests: ["log/mark"],
    },
    {
      name: "search: none behind damage",
      file: REPLAY,
      find: "      durableOffset = Math.max(durableOffset, marked);\n",
      replace: "      void marked;\n",
      why: "damage in front of the newest mark would be cut off like a torn tail",
      tests: ["crash/torn_tail", "crash/bit_flip"],
    },
    {
      name: "search: marks at the edge of what is read at once",
      file: RECOVERY,
      find: "    position += count - SYNC_FRAME_BYTES + 1;\n",
      replace: "    position += count;\n",
      why: "damage in front of the newest mark would be cut off like a torn tail",
      tests: ["log/recovery"],
    },
    {
      name: "scan: file and place",
      file: SCANNER,
      find: "mark.fileId !== this.#expected.fileId || mark.ownOffset !== reader.offset",
      replace: "mark.fileId < 0",
      why: "old blocks of other files would be taken for this one's",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: count and chain",
      file: SCANNER,
      find: "mark.recordCount !== this.recordCount || mark.chain !== this.chain",
      replace: "mark.recordCount < 0",
      why: "frames that were swapped, lost or doubled would go unnoticed",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: chain",
      file: SCANNER,
      find: "mark.recordCount !== this.recordCount || mark.chain !== this.chain",
      replace: "mark.recordCount !== this.recordCount",
      why: "frames that were exchanged for others would go unnoticed",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: count",
      file: SCANNER,
      find: "mark.recordCount !== this.recordCount || mark.chain !== this.chain",
      replace: "mark.chain !== this.chain",
      why: "repair relies on the count, so it must be true",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: an offset beyond itself, or inside of a batch",
      file: SCANNER,
      find: "mark.durableOffset > reader.offset || this.#batchEnd !== 0",
      replace: "mark.durableOffset < 0",
      why: "no mark can know what comes behind it",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: what they call durable",
      file: SCANNER,
      find: "    this.durableOffset = Math.max(this.durableOffset, mark.durableOffset);\n",
      replace: "",
      why: "damage to what was durable would be cut off like a torn tail",
      tests: ["log/segment_scanner", "crash/torn_tail"],
    },
    {
      name: "scan: that the segment is sealed",
      file: SCANNER,
      find: "    this.endsSealed = mark.durableOffset === mark.ownOffset;\n",
      replace: "    this.endsSealed = true;\n",
      why: "a log that was not closed must be synced before it is read",
      tests: ["log/segment_scanner"],
    },
    {
      name: "scan: records behind the mark that seals",
      file: SCANNER,
      find: "    if (op !== OP_SYNC) this.endsSealed = false;\n",
      replace: "",
      why: "a log that was not closed must be synced before it is read",
      tests: ["log/segment_scanner"],
    },
    {
      name: "hint: that the segment is sealed",
      file: REPLAY,
      find: "    sealed: mark.durableOffset === mark.ownOffset,\n",
      replace: "    sealed: mark.durableOffset <= mark.ownOffset,\n",
      why: "a log that was not closed must be synced before it is read",
      tests: ["crash/hint_binding"],
    },
  ],
};
