/** Mutants that take one key for another, or its entry for one that is gone. */

import type { MutantGroup } from "../mutant.ts";

const LAYOUT = "lib/index/record_layout.ts";

export const indexMutants: MutantGroup = {
  name: "keys in the index",
  mutants: [
    {
      name: "found by hash alone",
      file: "lib/index/shard_table.ts",
      find: "record[recordAt + HASH] === hash && keyEquals(record, recordAt, bytes, start, length)",
      replace: "record[recordAt + HASH] === hash && record.length > 0",
      why: "two keys of one hash would be one",
      tests: ["store/same_hash"],
    },
    {
      name: "compared without their lengths",
      file: LAYOUT,
      find:
        "  if ((view[at + LSN_HIGH_KEY_LENGTH]! & KEY_LENGTH_MASK) !== length - 1) return false;\n",
      replace: "",
      why: "keys that differ in zero bytes at the end would be one",
      tests: ["index/key_index", "index/record_arena", "index/hash_directory"],
    },
    {
      name: "compared without their last bytes",
      file: LAYOUT,
      find: "  return (length & 3) === 0 || view[word]! === lastWord(bytes, from, length & 3);\n",
      replace: "  return length > 0;\n",
      why: "keys that differ in the last bytes would be one",
      tests: ["index/key_index", "index/record_arena", "index/hash_directory"],
    },
    {
      name: "writes in flight found by hash alone",
      file: "lib/store/group_commit.ts",
      find: "      if (hasKey(write, bytes, start, length)) return write;\n",
      replace: "      if (bytes.length > 0) return write;\n",
      why: "two keys of one hash would be one",
      tests: ["store/same_hash"],
    },
    {
      name: "moved records keep their old offset",
      file: "lib/index/key_index.ts",
      find: "    view[at + OFFSET] = (view[at + OFFSET]! & ~OFFSET_MASK) | offset;\n",
      replace: "",
      why: "after a compaction every read would be of the wrong place",
      tests: ["store/compaction"],
    },
    {
      name: "records of the same place in another segment",
      file: "lib/index/key_index.ts",
      find: "    view[at + FILE_ID] = fileId;\n",
      replace: "",
      why: "after a compaction every read would be of a removed segment",
      tests: ["store/compaction"],
    },
  ],
};
