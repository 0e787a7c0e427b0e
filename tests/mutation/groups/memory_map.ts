/** Mutants that map what may go, or keep maps of what is gone. */

import type { MutantGroup } from "../mutant.ts";

const SOURCE = "lib/store/record_source.ts";
const WRITER = "lib/log/log_writer.ts";
const READER_FILES = "lib/worker/open_segments.ts";
const DURABLE = "lib/log/shared_durable.ts";
const NODE_FILE = "lib/fs/node_file_system.ts";

export const memoryMapMutants: MutantGroup = {
  name: "memory maps",
  mutants: [
    {
      name: "the segment that is written: no more than is durable",
      file: SOURCE,
      find:
        "if (segment === writer?.segment || segment === writer?.closing) return segment.durableLength",
      replace:
        "if (segment === writer?.segment || segment === writer?.closing) return segment.length",
      why: "a write that fails may be cut off under the map",
      tests: ["store/memory_map"],
    },
    {
      name: "the segment that is closed: no more than is durable",
      file: SOURCE,
      find: " || segment === writer?.closing) return",
      replace: ") return",
      why: "after a failure, it may be cut off under the map when it is opened again",
      tests: ["store/memory_map"],
    },
    {
      name: "readers: the segment that is closed",
      file: "lib/store/sharing.ts",
      find: "writer.closing ?? writer.segment;",
      replace: "writer.segment;",
      why: "after a failure, it may be cut off under the map when it is opened again",
      tests: ["worker/mapped_reader"],
    },
    {
      name: "the newest segment beside a writer: not at all",
      file: SOURCE,
      find: "segment === this.#keydir.segments.active ? 0 : segment.length",
      replace: "segment.length",
      why: "the writer may cut it off under the map",
      tests: ["store/memory_map"],
    },
    {
      name: "only what is in the file",
      file: NODE_FILE,
      find: "this.size() < length ? undefined : ",
      replace: "",
      why: "touching what lies behind the end of a file ends the process",
      tests: ["fs/memory_map"],
    },
    {
      name: "only what is mapped is read from the map",
      file: NODE_FILE,
      find: " && map.has(position, length)",
      replace: "",
      why: "memory behind the map may be anything",
      tests: ["fs/memory_map"],
    },
    {
      name: "only what is mapped is fetched ahead",
      file: "lib/fs/memory_map.ts",
      find: "    if (!(position >= 0 && position + 3 * LINE_BYTES <= this.#length)) return;\n",
      replace: "",
      why: "touching memory that is not mapped, or not any more, ends the process",
      tests: ["fs/memory_map"],
    },
    {
      name: "a closed file is unmapped",
      file: NODE_FILE,
      find: "    this.#map?.unmap();\n    this.#map = undefined;\n",
      replace: "",
      why: "the space of removed files would never come back",
      tests: ["fs/memory_map", "store/memory_map"],
    },
    {
      name: "a file is unmapped before it is mapped anew",
      file: NODE_FILE,
      find: "    this.#map?.unmap();\n    this.#map = this",
      replace: "    this.#map = this",
      why: "the space of removed files would never come back",
      tests: ["fs/memory_map"],
    },
    {
      name: "readers: the newest segment, no more than is durable",
      file: WRITER,
      find: "    if (segment === this.#segment) this.shared?.extend(segment.durableLength);\n",
      replace: "    if (segment === this.#segment) this.shared?.extend(segment.length);\n",
      why: "a write that fails may be cut off under the map",
      tests: ["worker/mapped_reader"],
    },
    {
      name: "readers: an fsync tells about its own segment",
      file: WRITER,
      find: "    if (segment === this.#segment) this.shared?.extend(segment.durableLength);\n",
      replace: "    this.shared?.extend(segment.durableLength);\n",
      why: "what is not durable yet may be cut off under the map",
      tests: ["log/shared_durable"],
    },
    {
      name: "readers: which segment is the newest",
      file: WRITER,
      find: "    this.shared?.begin(this.#segment.fileId, this.#segment.durableLength);\n",
      replace: "",
      why: "the space ahead of the log would be cut off under the map",
      tests: ["worker/mapped_reader"],
    },
    {
      name: "readers: a segment's length is told before its id",
      file: DURABLE,
      find: "    this.extend(length);\n    Atomics.store(this.#words, FILE_ID, fileId);\n",
      replace: "    Atomics.store(this.#words, FILE_ID, fileId);\n    this.extend(length);\n",
      why: "more would be mapped than the file has and keeps",
      tests: ["log/shared_durable"],
    },
    {
      name: "readers: the id is looked at again",
      file: DURABLE,
      find: "Atomics.load(words, FILE_ID) >>> 0 === fileId ? length : 0",
      replace: "length",
      why: "more would be mapped than the file has and keeps",
      tests: ["log/shared_durable"],
    },
    {
      name: "readers: nothing is mapped against the option",
      file: READER_FILES,
      find: " || !this.#memoryMap",
      replace: "",
      why: "a file that is cut off would end the process",
      tests: ["worker/mapped_reader"],
    },
    {
      name: "readers: what was removed is closed",
      file: READER_FILES,
      find: "      this.#segments.delete(fileId);\n      file.close();\n",
      replace: "",
      why: "the space of removed files would never come back",
      tests: ["worker/mapped_reader", "worker/kv_reader"],
    },
    {
      name: "a worker's maps end with it",
      file: "lib/fs/memory_map.ts",
      find: "if (libcOnce !== null && isBunWorker())",
      replace: "if (libcOnce !== null && !isBunWorker())",
      why: "the space of removed files would never come back",
      tests: ["fs/worker_descriptor"],
    },
  ],
};
