/** Mutants that map what may go, or keep maps of what is gone. */

import type { MutantGroup } from "../mutant.ts";

const SOURCE = "lib/store/record_source.ts";
const NODE_FILE = "lib/fs/node_file_system.ts";

export const memoryMapMutants: MutantGroup = {
  name: "memory maps",
  mutants: [
    {
      name: "the segment that is written: no more than is durable",
      file: SOURCE,
      find: "    if (segment === this.#writer?.segment) return segment.durableLength;\n",
      replace: "    if (segment === this.#writer?.segment) return segment.length;\n",
      why: "a write that fails may be cut off under the map",
      tests: ["store/memory_map"],
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
  ],
};
