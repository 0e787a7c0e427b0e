/** Mutants that believe a checkpoint they must not, or write one that must not be believed. */

import type { MutantGroup } from "../mutant.ts";

const FORMAT = "lib/format/checkpoint.ts";
const BINDING = "lib/log/checkpoint_binding.ts";
const READER = "lib/log/checkpoint_reader.ts";
const WRITER = "lib/log/checkpoint_writer.ts";
const STORE = "lib/store/checkpoint.ts";
const VERIFY = "lib/tools/verify_checkpoint.ts";

export const checkpointMutants: MutantGroup = {
  name: "checkpoint",
  mutants: [
    {
      name: "checksum of the header",
      file: FORMAT,
      find: "view.getUint32(at, true) !== crc32(bytes, 0, at)",
      replace: "bytes.length < at",
      why: "figures of segments that were damaged would be taken for theirs",
      tests: ["crash/checkpoint_damage", "log/checkpoint_file"],
    },
    {
      name: "byte order",
      file: FORMAT,
      find: "view.getUint32(CHECKPOINT_FIELDS.byteOrder, true) !== CHECKPOINT_BYTE_ORDER",
      replace: "bytes.length < at",
      why: "words of another machine mean something else",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "checksum of a block",
      file: READER,
      find:
        `this.expect(crc32(bytes, 0, bytes.length) === crc, "a block's checksum does not match");`,
      replace: `this.expect(crc >= 0, "a block's checksum does not match");`,
      why: "keys would be missed, or point at other records",
      tests: ["log/checkpoint_file", "crash/checkpoint_damage"],
    },
    {
      name: "number of blocks",
      file: READER,
      find: `    this.expect(count === this.#blockCount, "blocks are missing");\n`,
      replace: "    void count;\n",
      why: "it is not the file that was written",
      tests: ["log/checkpoint_file"],
    },
    {
      name: "bytes behind its end",
      file: READER,
      find: `    this.expect(this.#position === this.size, "it goes on behind its end");\n`,
      replace: "",
      why: "it is not the file that was written",
      tests: ["log/checkpoint_file", "crash/checkpoint_damage"],
    },
    {
      name: "that it was read to its end",
      file: STORE,
      find: "      reader.end();\n",
      replace: "",
      why: "it is not the file that was written",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "layout of the index",
      file: "lib/index/key_index.ts",
      find: `    image.expect(layout === INDEX_LAYOUT, "it is of another version of Cairn");\n`,
      replace: "    void layout;\n",
      why: "the words of another layout mean something else",
      tests: ["index/index_image"],
    },
    {
      name: "bound to the log: identity",
      file: BINDING,
      find: "if (!header.nodeId.every((byte, index) => byte === state.nodeId[index])) {",
      replace: "if (header.nodeId.length === 0) {",
      why: "the checkpoint of another store would be believed",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "bound to the log: the same segments",
      file: BINDING,
      find: "    fileId === state.segments[index]?.fileId\n",
      replace: "    fileId > index - state.segments.length\n",
      why: "keys would point at segments that compaction has replaced",
      tests: ["store/checkpoint", "crash/checkpoint_damage"],
    },
    {
      name: "bound to the log: closed segments as ACTIVE has them",
      file: BINDING,
      find: "if (coveredLength !== length || segments[index]!.chain !== chain) {",
      replace: "if (coveredLength > length && chain === 0) {",
      why: "the checkpoint of another state of the log would be believed",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "bound to the log: the mark is sound",
      file: BINDING,
      find: "decodeFrame(frame, 0, count, header) !== FRAME_OK || header.op !== OP_SYNC",
      replace: "decodeFrame(frame, 0, count, header) < 0",
      why: "damage to the end of the log would go unnoticed",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "bound to the log: chain",
      file: BINDING,
      find: ` &&
    extendChain(mark.chain, readFrameCrc(frame.view, 0, SYNC_FRAME_BYTES)) === segment.chain;`,
      replace: " && extendChain(mark.chain, readFrameCrc(frame.view, 0, SYNC_FRAME_BYTES)) >= 0;",
      why: "the checkpoint of another state of the log would be believed",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "bound to the log: count of records",
      file: BINDING,
      find: "    mark.recordCount === segment.recordCount &&\n",
      replace: "",
      why: "a checkpoint that counts otherwise is not the one that was written",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "file synced",
      file: WRITER,
      find: "    await this.#file.syncAsync();\n",
      replace: "    await Promise.resolve();\n",
      why: "the name must not come before the content",
      tests: ["log/checkpoint_file"],
    },
    {
      name: "name synced",
      file: WRITER,
      find: "    this.#fs.syncDirectory(this.#directory);\n",
      replace: "",
      why: "what closing has written is there at the next opening",
      tests: ["log/checkpoint_file"],
    },
    {
      name: "an empty segment is left out",
      file: STORE,
      find: "(isEmpty ? ordered.slice(0, -1) : ordered)",
      replace: "(isEmpty ? ordered.slice(0) : ordered)",
      why: "a segment without a mark has nothing to be bound to",
      tests: ["store/checkpoint"],
    },
    {
      name: "not while records are moving",
      file: STORE,
      find: " && keydir.segments.isSettled",
      replace: "",
      why: "keys would point at segments that are not part of the log any more",
      tests: ["store/checkpoint"],
    },
    {
      name: "one without use is removed at opening",
      file: STORE,
      find: "return isThere ? [CHECKPOINT_NAME] : [];",
      replace: "return isThere ? [] : [];",
      why: "it would be read, and warned of, at every opening",
      tests: ["store/checkpoint", "crash/checkpoint_damage"],
    },
    {
      name: "verify: entries against their records",
      file: VERIFY,
      find: "segment.check !== undefined && !segment.check.matches(entry)",
      replace: "segment.check !== undefined && entry.lsn < 0",
      why: "a checkpoint that gives wrong answers would be called sound",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "verify: entries that are missing",
      file: VERIFY,
      find: "if (aliveBytes !== 0)",
      replace: "if (aliveBytes < 0)",
      why: "a checkpoint that misses keys would be called sound",
      tests: ["crash/checkpoint_damage"],
    },
    {
      name: "inspect: checksum of a block",
      file: "lib/tools/inspect_checkpoint.ts",
      find: "if (crc32(block, 0, byteLength) !== crc) {",
      replace: "if (crc < 0) {",
      why: "a damaged block would be shown as a sound one",
      tests: ["tools/inspect"],
    },
    {
      name: "inspect: number of blocks",
      file: "lib/tools/inspect_checkpoint.ts",
      find: "if (crc !== blocks)",
      replace: "if (crc < 0)",
      why: "a file that lacks blocks would be shown as a whole one",
      tests: ["tools/inspect"],
    },
  ],
};
