/** Mutants of verify, repair and inspect: they change nothing, and call nothing sound that is not. */

import type { MutantGroup } from "../mutant.ts";

const REPAIR = "lib/tools/repair.ts";
const SOURCE = "lib/tools/salvage_source.ts";
const WRITER = "lib/tools/salvage_writer.ts";
const INDEX = "lib/tools/salvage_index.ts";
const CHOICE = "lib/tools/segment_choice.ts";
const LOSSES = "lib/tools/segment_losses.ts";
const SURVEY = "lib/tools/segment_survey.ts";
const TOLERANT = "lib/tools/tolerant_file.ts";
const VERIFY = "lib/tools/verify.ts";

export const toolsMutants: MutantGroup = {
  name: "tools",
  mutants: [
    {
      name: "repair: of a store that is open",
      file: SOURCE,
      find: "  if (lock !== undefined) return lock;\n",
      replace: "  if (lockPath !== path) return lock;\n",
      why: "what is read while it is written is not one state",
      tests: ["tools/repair_directories"],
    },
    {
      name: "repair, verify: a refusal by the system counts as damage",
      file: "lib/tools/finding.ts",
      find: ' && error.code !== "Unsupported" && !isRefusal(error);',
      replace: ' && error.code !== "Unsupported";',
      why: "a sound store would be given up, or salvaged without what could not be opened",
      tests: ["tools/refused_access"],
      and: [{
        file: "lib/tools/finding.ts",
        find: "import { isRefusal, systemErrorCode }",
        replace: "import { systemErrorCode }",
      }],
    },
    {
      name: "repair: all files of the source stay open",
      file: "lib/tools/record_copy.ts",
      find: "    if (this.#open.size >= OPEN_FILES_MAX) this.#closeOldest();\n",
      replace: "    if (this.#open.size < 0 * OPEN_FILES_MAX) this.#closeOldest();\n",
      why: "a store with many segments could not be salvaged",
      tests: ["tools/refused_access"],
    },
    {
      name: "repair: creates the lock file of the source",
      file: SOURCE,
      find: '  if (fs.stat(lockPath)?.kind !== "file") return undefined;\n',
      replace: "",
      why: "the source is only read",
      tests: ["tools/repair_directories"],
    },
    {
      name: "repair: keeps the lock of the source",
      file: REPAIR,
      find: "    lock?.release();\n",
      replace: "",
      why: "the store may be opened again",
      tests: ["tools/repair_directories"],
    },
    {
      name: "repair: leaves a store in the making",
      file: REPAIR,
      find: "      store.abandon();\n",
      replace: "",
      why: "it would be in the way of the next attempt",
      tests: ["tools/repair_directories"],
    },
    {
      name: "repair: keeps the lock of the destination",
      file: REPAIR,
      find: "      store.release();\n",
      replace: "",
      why: "the store could not be opened",
      tests: ["tools/repair_directories", "tools/source_untouched"],
    },
    {
      name: "repair: opens the source for writing",
      file: TOLERANT,
      find: 'return new TolerantFile(fs.open(path, "read"));',
      replace: 'return new TolerantFile(fs.open(path, "write"));',
      why: "the source is only read, and may be on a medium that allows no more",
      tests: ["tools/source_untouched"],
    },
    {
      name: "tools: a salvaged file can be written",
      file: TOLERANT,
      find: `  write(): number {
    throw new Error("a file that is salvaged is never written");
  }`,
      replace: `  write(): number {
    return 0;
  }`,
      why: "the source is only read",
      tests: ["tools/source_untouched"],
    },
    {
      name: "tools: a salvaged file can be cut",
      file: TOLERANT,
      find: `  truncate(): void {
    throw new Error("a file that is salvaged is never written");
  }`,
      replace: "  truncate(): void {}",
      why: "the source is only read",
      tests: ["tools/source_untouched"],
    },
    {
      name: "tools: a disk that cannot read stops them",
      file: TOLERANT,
      find: "      this.#unreadableBlocks.add(block);\n",
      replace: "      if (count > 0) throw error;\n",
      why: "the rest can still be saved",
      tests: ["tools/repair"],
    },
    {
      name: "repair: ACTIVE before what it names",
      file: WRITER,
      find: "    this.#closeSegment();\n    this.#openSegment(lsnNext, false);\n",
      replace:
        "    this.#active.replace(this.#segments, droppedLsn);\n    this.#closeSegment();\n    this.#openSegment(lsnNext, false);\n",
      why: "a crash would leave half of a store that looks like a whole one",
      tests: ["tools/source_untouched"],
    },
    {
      name: "repair: the newest record of a key",
      file: INDEX,
      find: "const isNewer = lsn > index.lsn(address) || (",
      replace: "const isNewer = lsn > 0 || (",
      why: "an older value would come back",
      tests: ["tools/repair", "tools/repair_segments"],
    },
    {
      name: "repair: a delete of the same version",
      file: INDEX,
      find: " || (lsn === index.lsn(address) && op === OP_DELETE);",
      replace: ";",
      why: "what compaction has buried would come back",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: records that cannot be Cairn's",
      file: INDEX,
      find:
        "      if (wrong !== undefined) reject(reader.offset, frameLength, wrong);\n      else this",
      replace:
        '      if (wrong === "") reject(reader.offset, frameLength, wrong);\n      else this',
      why: "the new store would be refused",
      tests: ["tools/repair"],
    },
    {
      name: "repair: records of broken batches",
      file: LOSSES,
      find: "    leftOut: keepPartialBatches ? [] : broken,\n",
      replace: "    leftOut: [],\n",
      why: "half of a batch would be seen",
      tests: ["tools/repair"],
    },
    {
      name: "repair: a torn tail that is below what was durable",
      file: LOSSES,
      find: "  return durable > start ? Infinity : start;\n",
      replace: "  return durable < 0 ? Infinity : start;\n",
      why: "a loss of acknowledged writes would be called none",
      tests: ["tools/repair_tail"],
    },
    {
      name: "repair: the end that ACTIVE says there was",
      file: LOSSES,
      find: "  if (missingEnd !== undefined) losses.lost.push(missingEnd);\n",
      replace: "",
      why: "a loss of acknowledged writes would be called none",
      tests: ["tools/repair_tail", "tools/repair"],
    },
    {
      name: "repair: segments of another store",
      file: SOURCE,
      find: "  dropForeign(source);\n",
      replace: "",
      why: "records of another store would be mixed in",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: segments that ACTIVE does not name",
      file: CHOICE,
      find: "found.filter(({ fileId }) => fileId === expected.fileId)",
      replace: "found.filter(({ fileId }) => fileId >= 0 && expected.fileId >= 0)",
      why: "what was deleted and compacted away would come back",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: segments that compaction has replaced",
      file: CHOICE,
      find: "found.filter((segment) => !replacedBy.has(segment))",
      replace: "found.filter((segment) => segment !== undefined)",
      why: "what was deleted and compacted away would come back",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: an unfinished output of compaction replaces its inputs",
      file: CHOICE,
      find: "output.survey.header?.compacted !== true || !isComplete(output.survey)",
      replace: "output.survey.header?.compacted !== true",
      why: "what was not yet copied would be lost",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: an ACTIVE that is older than the segments",
      file: CHOICE,
      find: "  if (isOutdated) {\n",
      replace: "  if (isOutdated && found.length === 0) {\n",
      why: "newer segments would be left out",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: versions that were lost are given out again",
      file: REPAIR,
      find:
        "      this.#raiseLsn(this.#lsnNext + Math.ceil(losses.tailBytes / FRAME_BYTES_MIN));\n",
      replace: "",
      why: "somebody may still know what another value had that version",
      tests: ["tools/source_untouched"],
    },
    {
      name: "repair: versions of an end that is missing are given out again",
      file: "lib/tools/segment_losses.ts",
      find: "    losses.tailBytes += isNewest ? SEGMENT_BYTES_LIMIT : missingEnd.length;\n",
      replace: "",
      why: "somebody may still know what another value had that version",
      tests: ["tools/repair_tail"],
    },
    {
      name: "repair: versions of a segment that is missing are given out again",
      file: REPAIR,
      find: "    this.#passMissingVersions();\n",
      replace: "",
      and: [{
        file: REPAIR,
        find: "  #passMissingVersions(): void {\n",
        replace: "  passMissingVersions(): void {\n",
      }],
      why: "somebody may still know what another value had that version",
      tests: ["tools/repair_tail"],
    },
    {
      name: "repair: followers are not told to begin anew",
      file: REPAIR,
      find:
        "return isKnown && this.#report.complete && !isMoreLost ? active.droppedLsn : this.#lsnNext - 1;",
      replace: "return isKnown || isMoreLost ? active?.droppedLsn ?? 0 : 0;",
      why: "deletes may be among what was lost",
      tests: ["tools/repair_segments"],
    },
    {
      name: "repair: marks of other files",
      file: SURVEY,
      find: "    if (mark.fileId !== this.#fileId || mark.ownOffset !== reader.offset) {\n",
      replace: "    if (mark.fileId < 0) {\n",
      why: "frames in a value would be taken for the log's own",
      tests: ["tools/run_judgement", "tools/frames_in_values", "tools/repair"],
    },
    {
      name: "verify: stops where ACTIVE is damaged",
      file: VERIFY,
      find: "      if (!isUnfinished) await this.#checkUnlisted();\n",
      replace: "      if (isUnfinished) await this.#checkUnlisted();\n",
      why: "what else is damaged would be found out one after the other",
      tests: ["tools/verify_unlisted"],
    },
    {
      name: "verify: damage in a segment",
      file: VERIFY,
      find: '    if (verdict.then === "corrupt") {\n',
      replace: '    if (verdict.then === "corrupt" && isShort) {\n',
      why: "a damaged store would be called sound",
      tests: ["tools/verify_segments"],
    },
    {
      name: "verify: marks behind damage",
      file: VERIFY,
      find: "Math.max(scanner.durableOffset, expected.length, marked)",
      replace: "Math.max(scanner.durableOffset, expected.length, 0 * marked)",
      why: "damage to what was durable would be called a torn tail",
      tests: ["tools/verify", "crash/torn_tail", "crash/bit_flip"],
    },
    {
      name: "verify: a missing segment",
      file: VERIFY,
      find:
        "        this.report.problems.push(...missing);\n        this.report.ok &&= missing.length === 0;\n",
      replace: "",
      why: "a damaged store would be called sound",
      tests: ["tools/verify", "crash/misplaced_files"],
    },
    {
      name: "verify: that there are problems",
      file: VERIFY,
      find: "    this.report.ok = false;\n",
      replace: "",
      why: "a damaged store would be called sound",
      tests: ["tools/verify"],
    },
    {
      name: "verify: opens files for writing",
      file: VERIFY,
      find: `        files.push(this.#fs.open(path, "read"));`,
      replace: `        files.push(this.#fs.open(path, "write"));`,
      why: "it changes nothing, and may have no right to",
      tests: ["tools/source_untouched"],
    },
  ],
};
