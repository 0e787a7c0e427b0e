/** Mutants that do not cut off what must go, or cut off what must stay. */

import type { MutantGroup } from "../mutant.ts";

const REPLAY = "lib/store/replay.ts";
const WRITER = "lib/log/log_writer.ts";
const RECOVERY = "lib/log/recovery.ts";

export const truncationMutants: MutantGroup = {
  name: "truncation",
  mutants: [
    {
      name: "torn tail",
      file: REPLAY,
      find: "    segment.file.truncate(segment.length);\n",
      replace: "",
      why: "its rest would stand behind the next record and be taken for damage",
      tests: ["crash/tail", "crash/torn_tail"],
    },
    {
      name: "torn tail: not acted on at all",
      file: REPLAY,
      find: "    if (size > validEnd) this.#truncate(segment);\n",
      replace: "",
      why: "its rest would stand behind the next record and be taken for damage",
      tests: ["crash/tail"],
    },
    {
      name: "torn tail: not cut off again after an fsync that failed",
      file: "lib/log/tail_rewrite.ts",
      find: "  file.truncate(end + 1);\n  file.truncate(end);\n",
      replace: "",
      why: "it would come back with a power cut, behind records that are there by then",
      tests: ["crash/recovered_log"],
    },
    {
      name: "torn tail: only made longer again",
      file: "lib/log/tail_rewrite.ts",
      find: "  file.truncate(end + 1);\n  file.truncate(end);\n",
      replace: "  file.truncate(end + 1);\n",
      why: "a byte that is no record would stand behind the log",
      tests: ["crash/recovered_log"],
    },
    {
      name: "write that failed half-way",
      file: "lib/log/log_writer.ts",
      find: "      tryToTruncate(this.#segment.file, this.#bufferStart);\n",
      replace: "      void tryToTruncate;\n",
      and: [{ file: "lib/fs/durable.ts", find: "    file.truncate(size);\n", replace: "" }],
      why: "writes that were refused would be there after reopening",
      tests: ["crash/full_disk", "crash/failing_disk"],
    },
    {
      name: "space kept ready",
      file: WRITER,
      find:
        "    if (this.#space.isBehind(length)) this.#refusal.attempt(() => file.truncate(length));\n",
      replace:
        "    if (this.#space.isBehind(length)) this.#refusal.attempt(() => void file.size());\n",
      why: "a closed segment has the length that ACTIVE gives, or is damaged",
      tests: ["log/space_ahead"],
    },
    {
      name: "space kept ready: when a segment is closed",
      file: WRITER,
      find: `    this.#cutSpaceOff();
    let next`,
      replace: `    let next`,
      why: "a closed segment has the length that ACTIVE gives, or is damaged",
      tests: ["log/space_ahead"],
    },
    {
      name: "space kept ready: when a segment is closed, before its fsync",
      file: WRITER,
      find: `    this.#cutSpaceOff();
    let next`,
      replace: `    let next`,
      and: [{
        file: WRITER,
        find: "      onClosed: () => this",
        replace: "      onClosed: () => (segment.file.truncate(segment.length), this)",
      }],
      why: "after a power cut the closed segment would have another length than ACTIVE gives",
      tests: ["crash/power_cut"],
    },
    {
      name: "space kept ready: when the store is closed",
      file: WRITER,
      find: `    this.#cutSpaceOff();
    this.#syncSegment();
    this.#markedOffset`,
      replace: `    this.#syncSegment();
    this.#markedOffset`,
      why: "a store that was closed takes no more of the disk than it needs",
      tests: ["log/space_ahead"],
    },
    {
      name: "space kept ready is taken for a torn tail",
      file: REPLAY,
      find: "    const framesEnd = isActive ? endOfFrames(file, size) : size;\n",
      replace: "    const framesEnd = isActive && endOfFrames(file, 0) > 0 ? 0 : size;\n",
      why: "beside a writer, frames that came later would make it damage",
      tests: ["log/space_ahead"],
    },
    {
      name: "a last frame that ends with zeros is cut short",
      file: "lib/log/segment_reader.ts",
      find: "    this.#end = end;\n    this.#framesEnd = framesEnd;\n",
      replace: "    this.#end = Math.min(end, framesEnd);\n    this.#framesEnd = framesEnd;\n",
      why: "an acknowledged write would be cut off as a torn tail",
      tests: ["log/space_ahead"],
    },
    {
      name: "lock file",
      file: "lib/store/directory_lock.ts",
      find: "      file.truncate(0);\n",
      replace: "",
      why: "a longer note of an earlier holder would garble the new one",
      tests: ["store/lock_note"],
    },
    {
      name: "the machine's",
      file: "lib/fs/node_file_system.ts",
      find: "      fs.ftruncateSync(this.#open(), size);\n",
      replace: "      this.#open();\n",
      why: "every truncation ends here",
      tests: ["fs/node_file_system"],
    },
    {
      name: "a store opened with readOnly cuts off as well",
      file: REPLAY,
      find: "    if (this.#context.readOnly) return;\n",
      replace: "",
      why: "it is somebody else's write that is not yet complete",
      tests: ["crash/torn_tail", "crash/two_openers", "store/hint"],
    },
    {
      name: "what was durable is cut off like a torn tail",
      file: RECOVERY,
      find: `    when: { active: true, damaged: true, damagedBelowDurable: true },
    then: "corrupt",`,
      replace: `    when: { active: true, damaged: true, damagedBelowDurable: true },
    then: "truncate",`,
      why: "acknowledged writes would be dropped without a word",
      tests: ["log/recovery"],
    },
    {
      name: "a torn tail is not cut off but left",
      file: RECOVERY,
      find: `    when: { active: true, damaged: true, damagedBelowDurable: false },
    then: "truncate",`,
      replace: `    when: { active: true, damaged: true, damagedBelowDurable: false },
    then: "intact",`,
      why: "its rest would stand behind the next record and be taken for damage",
      tests: ["log/recovery", "crash/torn_tail"],
    },
    {
      name: "damage in a closed segment is cut off like a torn tail",
      file: RECOVERY,
      find: `    when: { active: false, damaged: true },
    then: "corrupt",`,
      replace: `    when: { active: false, damaged: true },
    then: "truncate",`,
      why: "acknowledged writes would be dropped without a word",
      tests: ["log/recovery"],
    },
    {
      name: "a closed segment that is not complete is taken for sound",
      file: RECOVERY,
      find: `    when: { active: false, damaged: false, complete: false },
    then: "corrupt",`,
      replace: `    when: { active: false, damaged: false, complete: false },
    then: "intact",`,
      why: "acknowledged writes would be missed without a word",
      tests: ["log/recovery", "crash/closed_segment"],
    },
    {
      name: "a segment shorter than was durable is taken for sound",
      file: REPLAY,
      find: "scanner.problem !== undefined || (isActive && durableOffset > validEnd);",
      replace: "scanner.problem !== undefined;",
      why: "acknowledged writes would be missed without a word",
      tests: ["crash/active_damage", "crash/torn_tail"],
    },
  ],
};
