/** Mutants that believe hint files they must not, or put into them less than they must. */

import type { MutantGroup } from "../mutant.ts";

const REPLAY = "lib/store/replay.ts";
const READER = "lib/log/hint_reader.ts";
const BUILDER = "lib/store/hint_builder.ts";
const BINDING = "lib/log/hint_binding.ts";
const ENTRY_CHECK = "lib/tools/entry_check.ts";

export const hintMutants: MutantGroup = {
  name: "hint files",
  mutants: [
    {
      name: "records that wait when the next block is read",
      file: READER,
      find: "    this.beforeMove();\n",
      replace: "",
      why: "entries would be taken for those of other keys",
      tests: ["store/replay_batch"],
    },
    {
      name: "number of entries at the end",
      file: READER,
      find: '      if (crc !== this.#entryCount) return this.#fail("entries are missing");\n',
      replace: "",
      why: "keys of a block that was lost would be missed",
      tests: ["log/hint_file"],
    },
    {
      name: "bytes behind its end",
      file: READER,
      find:
        '      if (this.#position !== this.size) return this.#fail("it goes on behind its end");\n',
      replace: "",
      why: "it is not the file that was written",
      tests: ["crash/hint_damage"],
    },
    {
      name: "entries outside of the segment",
      file: READER,
      find: "this.offset + this.frameLength > this.header!.coveredLength",
      replace: "this.offset < 0",
      why: "a record would be looked for where there is none",
      tests: ["log/hint_entry"],
    },
    {
      name: "bound to the segment: id",
      file: REPLAY,
      find: "hint.fileId !== segment.fileId || hint.lastLsn",
      replace: "hint.lastLsn",
      why: "the hint of another segment would be believed",
      tests: ["crash/hint_damage"],
      equivalent: {
        because: "count and chain of two segments are not the same: their first frames differ",
        together: "bound to the segment: id, count and chain",
      },
    },
    {
      name: "bound to the segment: id, count and chain",
      file: REPLAY,
      find: "hint.fileId !== segment.fileId || hint.lastLsn",
      replace: "hint.lastLsn",
      and: [{
        file: REPLAY,
        find: `mark.ownOffset === at &&
    mark.recordCount === hint.recordCount && mark.chain === hint.chain;`,
        replace: "mark.ownOffset === at;",
      }],
      why: "the hint of another segment would be believed",
      tests: ["crash/hint_damage", "store/hint"],
    },
    {
      name: "bound to the segment: count and chain",
      file: REPLAY,
      find: ` &&
    mark.recordCount === hint.recordCount && mark.chain === hint.chain;`,
      replace: ";",
      why: "the hint of another store's segment would be believed",
      tests: ["crash/hint_damage"],
    },
    {
      name: "bound to the segment: chain",
      file: REPLAY,
      find: "mark.recordCount === hint.recordCount && mark.chain === hint.chain;",
      replace: "mark.recordCount === hint.recordCount;",
      why: "the hint of another store's segment would be believed",
      tests: ["crash/hint_damage"],
    },
    {
      name: "bound to the segment: count",
      file: REPLAY,
      find: "mark.recordCount === hint.recordCount && mark.chain === hint.chain;",
      replace: "mark.chain === hint.chain;",
      why: "a hint that counts otherwise is not the one that was written",
      tests: ["store/hint", "crash/hint_damage"],
    },
    {
      name: "bound to the segment: the mark is of this file",
      file: REPLAY,
      find: "mark.fileId === segment.fileId && mark.ownOffset === at &&",
      replace: "mark.ownOffset === at &&",
      why: "a copy of another segment's mark is no mark",
      tests: ["crash/hint_damage", "store/hint"],
      equivalent: {
        because: "ACTIVE has the chain of a closed segment, that mark included",
        together: "bound to the segment: whose mark it is, and the chain in ACTIVE",
      },
    },
    {
      name: "bound to the segment: the mark is in its place",
      file: REPLAY,
      find: "mark.fileId === segment.fileId && mark.ownOffset === at &&",
      replace: "mark.fileId === segment.fileId &&",
      why: "a copy of a mark, in a value, is no mark",
      tests: ["crash/hint_damage", "store/hint"],
      equivalent: {
        because: "ACTIVE has the chain of a closed segment, that mark included",
        together: "bound to the segment: whose mark it is, and the chain in ACTIVE",
      },
    },
    {
      name: "bound to the segment: whose mark it is, and the chain in ACTIVE",
      file: REPLAY,
      find: "mark.fileId === segment.fileId && mark.ownOffset === at &&",
      replace: "mark.fileId > 0 &&",
      and: [{
        file: REPLAY,
        find: "complete: size === expected.length && scanner.chain === expected.chain,",
        replace: "complete: size === expected.length,",
      }],
      why: "a copy of another mark is no mark",
      tests: ["crash/hint_binding"],
    },
    {
      name: "bound to the segment: that it is a mark at all",
      file: REPLAY,
      find: "decodeFrame(frame, 0, SYNC_FRAME_BYTES, header) !== FRAME_OK || header.op !== OP_SYNC",
      replace: "decodeFrame(frame, 0, SYNC_FRAME_BYTES, header) < FRAME_OK",
      why: "the end of the segment may be damaged",
      tests: ["crash/hint_binding"],
    },
    {
      name: "bound to the segment: length",
      file: REPLAY,
      find: "  if (isActive ? coveredLength > size : coveredLength !== size) return undefined;\n",
      replace: "",
      why: "a segment that was cut, or went on, is another one",
      tests: ["crash/hint_damage", "crash/closed_segment", "store/hint"],
      equivalent: {
        because: "beyond the end there is no mark to be bound to, and what lies behind is scanned",
      },
    },
    {
      name: "more covered than is there",
      file: REPLAY,
      find: "          this.#hintedLength = hint.header.coveredLength;\n",
      replace: "",
      why: "what the hint covers was durable: the segment has lost its end",
      tests: ["crash/hint_binding"],
    },
    {
      name: "more covered than is there, though of another segment",
      file: REPLAY,
      find: "hint.header?.fileId === segment.fileId && hint.header.coveredLength",
      replace: "hint.header !== undefined && hint.header.coveredLength",
      why: "a misplaced hint file must not make a sound store unusable",
      tests: ["crash/hint_binding"],
    },
    {
      name: "a damaged hint is kept to half-way",
      file: REPLAY,
      find:
        "if (hint.problem === undefined && start !== undefined) {\n          this.stats.hints++;",
      replace: "if (start !== undefined) {\n          this.stats.hints++;",
      why: "the keys behind the damage would be missed",
      tests: ["crash/hint_damage"],
    },
    {
      name: "a hint that cannot be read stops the opening",
      file: REPLAY,
      find: "      if (!(error instanceof KvError)) throw error;\n      logger.warn",
      replace:
        "      if (!(error instanceof KvError) || error.code) throw error;\n      logger.warn",
      why: "a hint is only ever a shortcut",
      tests: ["crash/hint_binding"],
    },
    {
      name: "written: superseded by a write that may be lost",
      file: BUILDER,
      find: "return newest > lsn && newest <= context.lsnDurable();",
      replace: "return newest > lsn;",
      why: "after a crash neither the older nor the newer value would be there",
      tests: ["crash/power_cut"],
    },
    {
      name: "written: deletes are left out",
      file: BUILDER,
      find: "op !== OP_DELETE && isSuperseded(context",
      replace: "op === OP_DELETE || isSuperseded(context",
      why: "older values would come back",
      tests: ["store/hint"],
    },
    {
      name: "written: what is gone from the index is left out",
      file: BUILDER,
      find: "  if (address === 0) return false;\n",
      replace: "  if (address === 0) return true;\n",
      why: "an expired value hides older ones, and a delete may be in flight",
      tests: ["store/resurrection", "store/expiry", "crash/power_cut", "store/hint"],
    },
    {
      name: "verify: bound by count and chain",
      file: BINDING,
      find: "mark?.recordCount === header.recordCount && mark.chain === header.chain;",
      replace: "mark !== undefined;",
      why: "a hint of another state of the segment would be called sound",
      tests: ["tools/verify"],
    },
    {
      name: "verify: bound by chain",
      file: BINDING,
      find: "mark?.recordCount === header.recordCount && mark.chain === header.chain;",
      replace: "mark?.recordCount === header.recordCount;",
      why: "a hint of another state of the segment would be called sound",
      tests: ["tools/verify_segments"],
    },
    {
      name: "verify: that it is bound to a mark",
      file: BINDING,
      find: `decodeFrame(frame, 0, count, frameHeader) === FRAME_OK &&
    frameHeader.op === OP_SYNC;`,
      replace: "decodeFrame(frame, 0, count, frameHeader) >= FRAME_OK;",
      why: "the end of the segment may be damaged",
      tests: ["crash/hint_binding"],
    },
    {
      name: "verify: bound by the segment's id",
      file: BINDING,
      find: '  if (header.fileId !== fileId) return "stands for another segment";\n',
      replace: "",
      why: "a hint of another segment would be called sound",
      tests: ["tools/verify", "tools/verify_segments"],
    },
    {
      name: "verify: covers no more than there is",
      file: BINDING,
      find: "  if (coveredLength > size) return ",
      replace: "  if (coveredLength < 0) return ",
      why: "the message says what is wrong",
      tests: ["tools/verify", "tools/verify_segments"],
      equivalent: {
        because: "beyond the end there is no mark to be bound to; the message only says it better",
      },
    },
    {
      name: "verify: the header of an entry's record",
      file: ENTRY_CHECK,
      find:
        "    if (decodeFrameHeader(view, 0, entry.frameLength, header) !== FRAME_OK) return false;\n",
      replace: "    decodeFrameHeader(view, 0, entry.frameLength, header);\n",
      why: "an entry that points at no record would be called sound",
      tests: ["tools/verify"],
      equivalent: {
        because:
          "a header that is not decoded keeps the version of another record, and versions are compared",
      },
    },
    {
      name: "verify: entries at all",
      file: "lib/tools/verify_hint.ts",
      find: "      if (!check.matches(hint)) {\n",
      replace: "      if (check === undefined) {\n",
      why: "an entry that points at no record would be called sound",
      tests: ["tools/verify"],
    },
  ],
};
