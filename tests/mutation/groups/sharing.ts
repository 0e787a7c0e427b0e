/** Mutants that let readers on other threads see what is torn, stale, or somebody else's. */

import type { MutantGroup } from "../mutant.ts";

const RECORD_READ = "lib/worker/record_read.ts";
const INDEX_READER = "lib/index/index_reader.ts";
const TAIL = "lib/log/shared_tail.ts";
const WRITER = "lib/log/log_writer.ts";

export const sharingMutants: MutantGroup = {
  name: "reading from other threads",
  mutants: [
    {
      name: "reading a value: that which the index has",
      file: RECORD_READ,
      find: "    readFrameCrc(buffer.view, 0, frameLength) !== crc ||\n",
      replace: "",
      why: "a damaged record would be handed out",
      tests: ["worker/kv_reader"],
    },
    {
      name: "reading a value: that of its bytes",
      file: RECORD_READ,
      find: "computeFrameCrc(bytes, 0, frameLength) !== crc",
      replace: "false",
      why: "a damaged value would be handed out",
      tests: ["worker/kv_reader"],
    },
    {
      name: "the shard's sequence is looked at again",
      file: INDEX_READER,
      find: "loadAfterReads(shards, shardSequenceAt) !== shardSequence",
      replace: "loadAfterReads(shards, shardSequenceAt) < 0",
      why: "half a record would be believed",
      tests: ["index/index_reader"],
    },
    {
      name: "a shard that is changing is not looked at",
      file: INDEX_READER,
      find: "if ((shardSequence & 1) !== 0) return CHANGED;",
      replace: "",
      why: "half a record would be believed",
      tests: ["index/index_reader"],
    },
    {
      name: "the directory's sequence is looked at again",
      file: INDEX_READER,
      find:
        "if (Atomics.load(directory, DIRECTORY_SEQUENCE) !== directorySequence) return CHANGED;",
      replace: "",
      why: "a key would not be found while its shard splits",
      tests: ["index/index_reader"],
    },
    {
      name: "scan: the directory's sequence is looked at again",
      file: "lib/index/index_walk.ts",
      find: "loadAfterReads(directory, DIRECTORY_SEQUENCE) !== sequence",
      replace: "loadAfterReads(directory, DIRECTORY_SEQUENCE) < 0",
      why: "a key would be left out while its shard splits",
      tests: ["index/index_reader"],
    },
    {
      name: "scan: the shard's sequence is looked at again",
      file: "lib/index/index_walk.ts",
      find: "loadAfterReads(shards, sequenceAt) !== sequence",
      replace: "loadAfterReads(shards, sequenceAt) < 0",
      why: "rubbish would be taken for keys, and keys left out",
      tests: ["index/index_reader"],
    },
    {
      name: "an update announces itself",
      file: "lib/index/key_index.ts",
      find: "      this.#directory.endChange(shard);\n      if (hadExpiry)",
      replace: "      if (hadExpiry)",
      why: "readers would wait for ever",
      tests: ["index/index_reader"],
    },
    {
      name: "records are shared before they are visible",
      file: WRITER,
      find: "    this.tail?.append(this.buffer.bytes, at, frameLength);\n",
      replace: "",
      why: "a record that is acknowledged could not be read",
      tests: ["worker/kv_reader"],
    },
    {
      name: "the shared tail moves on when it is in the file",
      file: WRITER,
      find: "    this.tail?.moveTo(this.#segment.fileId, this.#bufferStart);\n",
      replace: "",
      why: "readers would get the bytes of another record",
      tests: ["worker/kv_reader"],
    },
    {
      name: "what is too long for the tail is written out",
      file: "lib/store/write_path.ts",
      find: "      if (this.writer.tail?.hides === true) this.#writeOutHidden();\n",
      replace: "",
      why: "a record that is acknowledged could not be read",
      tests: ["worker/kv_reader"],
    },
    {
      name: "the tail's sequence is looked at again",
      file: TAIL,
      find: "loadAfterReads(control, SEQUENCE) === sequence",
      replace: "loadAfterReads(control, SEQUENCE) >= sequence",
      why: "readers would get the bytes of another record",
      tests: ["log/shared_tail"],
    },
    {
      name: "removals are counted",
      file: "lib/store/sharing.ts",
      find: "Atomics.add(control, REMOVALS, 1)",
      replace: "control",
      why: "readers would keep files that were removed on the disk",
      tests: ["worker/kv_reader"],
    },
    {
      name: "closing is told to readers",
      file: "lib/store/sharing.ts",
      find: "    Atomics.store(this.#control, CLOSED, 1);\n",
      replace: "",
      why: "they would read what may have been replaced",
      tests: ["worker/kv_reader"],
    },
  ],
};
