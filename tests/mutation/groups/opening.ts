/** Mutants of opening: one writer at a time, nothing changed too early, nothing at all by readers. */

import type { MutantGroup } from "../mutant.ts";

const OPEN = "lib/store/open_log.ts";
const LOCK = "lib/store/directory_lock.ts";
const STORE = "lib/store/store.ts";
const DESCRIPTOR = "lib/fs/descriptor.ts";

export const openingMutants: MutantGroup = {
  name: "lock, opening, readOnly",
  mutants: [
    {
      name: "replay: records that wait when the buffer moves",
      file: "lib/log/segment_reader.ts",
      find: "    this.beforeMove();\n",
      replace: "",
      why: "records would be taken for those of other keys",
      tests: ["store/replay_batch"],
    },
    {
      name: "replay: records that wait when others come from elsewhere",
      file: "lib/store/replay_batch.ts",
      find: " || bytes !== this.#bytes",
      replace: "",
      why: "after a hint file that cannot be read, entries would get keys of the segment",
      tests: ["store/replay_batch"],
    },
    {
      name: "replay: records that wait at the end of a segment",
      file: "lib/store/replay.ts",
      find: "    batch.apply();\n  }\n\n  #addFrame",
      replace: "  }\n\n  #addFrame",
      why: "the last records of a log would be missing",
      tests: ["store/replay", "store/replay_batch"],
    },
    {
      name: "lock: not taken",
      file: LOCK,
      find: "  const lock = fs.lock(path);\n",
      replace: "  const lock: FileLock | undefined = { release() {} };\n",
      why: "two writers would append to one file",
      tests: ["crash/two_openers"],
    },
    {
      name: "lock: given back by a failed opening only",
      file: "lib/store/write_path.ts",
      find: "      this.#lock.release();\n",
      replace: "",
      why: "a store that was closed can be opened again",
      tests: ["store/replay"],
    },
    {
      name: "lock: kept by a failed opening",
      file: OPEN,
      find: "  } catch (error) {\n    lock.release();\n    throw error;\n  }\n}",
      replace: "  } catch (error) {\n    throw error;\n  }\n}",
      why: "a store that was mended can be opened again",
      tests: ["crash/failing_disk", "crash/active_damage"],
    },
    {
      name: "lock: under Bun",
      file: "lib/fs/bun_lock.ts",
      find: "  return errno === 0;\n",
      replace: "  return true;\n",
      why: "two writers would append to one file",
      tests: ["fs/lock"],
    },
    {
      name: "lock: under Deno",
      file: "lib/fs/deno_lock.ts",
      find: "    held = file.tryLockSync(true);\n",
      replace: "    held = true;\n",
      why: "two writers would append to one file",
      tests: ["fs/lock", "crash/two_openers"],
    },
    {
      name: "lock: under Node",
      file: "lib/fs/child_process_lock.ts",
      find: "(fd) => takeLock(fd, path));\n",
      replace: "(fd) => takeLock(fd, path) || true);\n",
      why: "two writers would append to one file",
      tests: ["fs/lock"],
    },
    {
      name: "lock: in memory",
      file: "lib/fs/memory_file_system.ts",
      find: "    if (node.locked) return undefined;\n",
      replace: "",
      why: "two writers would append to one file",
      tests: ["fs/memory_file_system"],
    },
    {
      name: "links: followed when a file is opened",
      file: DESCRIPTOR,
      find: "  requireRegularFile(seen);\n",
      replace: "",
      why: "somebody else's file would be written to",
      tests: ["fs/node_file_system"],
    },
    {
      name: "links: a file that took the place of another",
      file: DESCRIPTOR,
      find:
        "return closedOnError(fd, () => requireSameFile(seen, fs.fstatSync(fd, { bigint: true })));",
      replace: "return closedOnError(fd, () => void fs.fstatSync(fd, { bigint: true }));",
      why: "somebody else's file would be written to",
      tests: ["fs/descriptor", "fs/node_file_system", "crash/replaced_file"],
      equivalent: {
        because:
          "another file would have to come between two system calls; the comparison has a test of its own (fs/descriptor)",
      },
    },
    {
      name: "mode of files",
      file: DESCRIPTOR,
      find: "    if (!hasMode(fs.fstatSync(fd).mode, FILE_MODE)) fs.fchmodSync(fd, FILE_MODE);\n",
      replace: "",
      why: "the file must be its owner's alone, whatever the umask",
      tests: ["fs/node_file_system"],
    },
    {
      name: "a missing segment is an ordinary error",
      file: OPEN,
      find: "    throw segmentMissing(path, fileId, error);\n",
      replace: "    throw error;\n",
      why: "acknowledged writes are missing, and whoever opens the store must be told",
      tests: ["crash/misplaced_files"],
    },
    {
      name: "a missing newest segment is an ordinary error",
      file: OPEN,
      find: "fs.stat(path) === undefined) throw segmentMissing(path, fileId);",
      replace: "fs.stat(path) === undefined) fs.open(path, mode);",
      why: "acknowledged writes are missing, and whoever opens the store must be told",
      tests: ["crash/misplaced_files"],
    },
    {
      name: "readOnly: syncs what it reads",
      file: OPEN,
      find: "    if (!options.readOnly) vouch(",
      replace: "    vouch(",
      why: "it touches nothing",
      tests: ["tools/source_untouched"],
    },
    {
      name: "readOnly: opened for writing",
      file: OPEN,
      find: 'openSegment(fs, directory, fileId, "read")',
      replace: 'openSegment(fs, directory, fileId, "write")',
      why: "it touches nothing, and may have no right to",
      tests: ["tools/source_untouched"],
    },
    {
      name: "readOnly: does everything that a writer does",
      file: STORE,
      find: "    const log = resolved.readOnly\n",
      replace: '    const log = resolved.readOnly && path === ""\n',
      why: "it touches nothing",
      tests: ["store/hint", "crash/two_openers"],
    },
    {
      name: "readOnly: takes writes",
      file: STORE,
      find:
        "    if (log.lock !== undefined) this.#write = new WritePath(options, log, log.lock);\n",
      replace: "    this.#write = new WritePath(options, log, log.lock ?? { release() {} });\n",
      why: "it touches nothing",
      tests: ["store/hint", "crash/two_openers"],
    },
    {
      name: "readOnly: a segment that is gone by now is not looked for anew",
      file: OPEN,
      find: "if (!moved || attempt >= READ_ONLY_ATTEMPTS) throw error;",
      replace: "if (!moved || attempt >= 1) throw error;",
      why: "a compaction beside it is no damage",
      tests: ["store/compaction"],
    },
    {
      name: "closed descriptor while a call is in flight",
      file: "lib/fs/node_file_system.ts",
      find: "    if (this.#inFlightCount > 0) {\n",
      replace: "    if (this.#inFlightCount < 0) {\n",
      why: "its number may be another file's by then",
      tests: ["fs/node_file_system"],
    },
  ],
};
