/** Mutants without one of the fsyncs of directories, which make names durable. */

import type { MutantGroup } from "../mutant.ts";

const DURABLE = "lib/fs/durable.ts";
const NODE_FS = "lib/fs/node_file_system.ts";

export const directorySyncMutants: MutantGroup = {
  name: "fsync of directories",
  mutants: [
    {
      name: "new segment",
      file: "lib/log/segment_file.ts",
      find: "    fs.syncDirectory(directory);\n",
      replace: "",
      why: "ACTIVE must not name a file whose own name may be gone",
      tests: ["crash/power_cut"],
    },
    {
      name: "hint file",
      file: "lib/log/hint_writer.ts",
      find:
        "    await (this.#fs.syncDirectoryAsync?.(this.#directory) ??\n      this.#fs.syncDirectory(this.#directory));\n",
      replace: "",
      why: "a hint that is announced as written is there at the next opening",
      tests: ["log/hint_file"],
    },
    {
      name: "replaceDurably",
      file: DURABLE,
      find: "    throw error;\n  }\n  fs.syncDirectory(directory);\n}",
      replace: "    throw error;\n  }\n}",
      why: "the old ACTIVE could come back when what it names is gone",
      tests: ["fs/durable"],
    },
    {
      name: "removeDurably",
      file: DURABLE,
      find:
        `  // Also when all were missing: an earlier run may have been stopped right before this.
  fs.syncDirectory(directory);
`,
      replace: "",
      why: "files that were removed could come back",
      tests: ["fs/durable"],
    },
    {
      name: "without blocking",
      file: DURABLE,
      find: "  await (fs.syncDirectoryAsync?.(directory) ?? fs.syncDirectory(directory));\n",
      replace: "  await (fs.syncDirectoryAsync ?? directory);\n",
      why: "files that compaction has removed could come back, and new segments be lost",
      tests: ["fs/durable", "store/pending_rotation"],
    },
    {
      name: "removeDurablyAsync",
      file: DURABLE,
      find:
        "  await syncDirectoryPatiently(fs, directory);\n}\n\n/** Syncs a directory without blocking",
      replace: "}\n\n/** Syncs a directory without blocking",
      why: "files that compaction has removed could come back",
      tests: ["fs/durable"],
    },
    {
      name: "the machine's directory, asynchronously",
      file: "lib/fs/node_file_system.ts",
      find: "    await promisify(fs.fsync)(fd);\n",
      replace: "    await Promise.resolve();\n",
      why: "files that compaction has removed could come back",
      tests: ["kill/sync_order", "fs/node_file_system"],
    },
    {
      name: "at opening",
      file: "lib/store/open_log.ts",
      find: "    fs.syncDirectory(directory);\n    const state",
      replace: "    const state",
      why: "a killed process leaves names that are not yet durable, and they are relied upon now",
      tests: ["crash/killed_names"],
      equivalent: {
        because: "where a killed process has left names, ACTIVE is replaced, which syncs them too",
        together: "at opening, and ACTIVE is not replaced",
      },
    },
    {
      name: "at opening, and ACTIVE is not replaced",
      file: "lib/store/open_log.ts",
      find: "    fs.syncDirectory(directory);\n    const state",
      replace: "    const state",
      and: [{
        file: "lib/store/open_log.ts",
        find: "      const isDoubtful = leftovers.names.length > 0 || !log.noted;\n",
        replace: "      const isDoubtful = leftovers.names.length < 0;\n",
      }],
      why: "a killed process leaves names that are not yet durable, and they are relied upon now",
      tests: ["crash/killed_names"],
    },
    {
      name: "the machine's",
      file: NODE_FS,
      find: 'attempt("sync directory", path, () => syncDirectory(path));',
      replace: 'attempt("sync directory", path, () => void fs.statSync(path));',
      why: "every fsync of a directory above ends here",
      tests: ["fs/system_calls"],
    },
    {
      name: "the machine's: the call itself",
      file: NODE_FS,
      find: "    fs.fsyncSync(fd);\n",
      replace: "",
      why: "every fsync of a directory ends here",
      tests: ["fs/system_calls"],
    },
    {
      name: "the machine's: errors of it",
      file: NODE_FS,
      find: `then nothing to wait for. Any other error means that the entries may be lost.
    if (systemErrorCode(error) !== "EINVAL") throw error;`,
      replace: "then nothing to wait for.",
      why: "an error means that names may be lost",
      tests: ["fs/system_calls"],
    },
    {
      name: "new directories, into the one above",
      file: NODE_FS,
      find: `      try {
        syncIntoParent(directory);
`,
      replace: "      try {\n",
      why: "the store is lost with its directory's name",
      tests: ["fs/system_calls"],
    },
    {
      name: "new directories: one whose sync failed stays",
      file: NODE_FS,
      find: "        if (isNew) tryToRemoveDirectory(directory);\n",
      replace: "",
      why: "a later fsync succeeds without making it durable, and the store is lost with it",
      tests: ["fs/system_calls"],
    },
    {
      name: "the directory that exists, into the one above",
      file: NODE_FS,
      find: "    syncIntoParent(existing);\n",
      replace: "",
      why: "whoever created it may have been killed before syncing it",
      tests: ["fs/system_calls"],
    },
    {
      name: "into the one above: the call itself",
      file: NODE_FS,
      find: "    syncDirectory(parent);\n",
      replace: "",
      why: "the store is lost with its directory's name",
      tests: ["fs/system_calls"],
    },
    {
      name: "into the one above: errors of it",
      file: NODE_FS,
      find: 'if (!ACCESS_CODES.has(systemErrorCode(error) ?? "")) throw error;\n  }\n}',
      replace: "}\n}",
      why: "an error means that the name may be lost",
      tests: ["fs/system_calls"],
    },
    {
      name: "opening: the name ACTIVE is not made durable",
      file: "lib/store/open_log.ts",
      find: "      const isDoubtful = leftovers.names.length > 0 || !log.noted;\n",
      replace: "      const isDoubtful = leftovers.names.length < 0;\n",
      why: "after a failed sync of the directory, the disk may know an older ACTIVE than was read",
      tests: ["crash/recovered_log"],
    },
  ],
};
