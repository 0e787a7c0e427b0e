/** Mutants of the end of a compaction, which may fail half-way, and of what followers are promised. */

import type { MutantGroup } from "../mutant.ts";

const COMPACTION = "lib/store/compaction.ts";
const POLICY = "lib/store/compaction_policy.ts";

export const handoverMutants: MutantGroup = {
  name: "handover that failed, deletes kept for followers",
  mutants: [
    {
      name: "handover: not taken up again",
      file: COMPACTION,
      find: "    if (this.#handover !== undefined) await this.#finishHandover(this.#handover);\n",
      replace: "",
      why: "index entries would point at segments that are no part of the log any more",
      tests: ["crash/failed_handover"],
    },
    {
      name: "handover: forgotten when it fails",
      file: COMPACTION,
      find:
        "    this.#handover = { inputs, outputs, moved: false };\n    await this.#finishHandover(this.#handover);\n",
      replace: "    await this.#finishHandover({ inputs, outputs, moved: false });\n",
      why: "index entries would point at segments that are no part of the log any more",
      tests: ["crash/failed_handover"],
    },
    {
      name: "handover: forgotten before the old files are removed",
      file: COMPACTION,
      find:
        "    await removeDurablyAsync(fs, directory, names);\n    this.#handover = undefined;\n",
      replace:
        "    this.#handover = undefined;\n    await removeDurablyAsync(fs, directory, names);\n",
      why: "space would come back at the next opening only",
      tests: ["crash/failed_handover"],
    },
    {
      name: "handover: descriptors given back twice",
      file: COMPACTION,
      find: "      handover.moved = true;\n",
      replace: "",
      why: "a descriptor that is closed twice may be another file's by then",
      tests: ["crash/failed_handover"],
      equivalent: {
        because: "entries that are moved and files that are closed already stay as they are",
      },
    },
    {
      name: "handover: hint files of removed segments stay",
      file: COMPACTION,
      find:
        "({ fileId }) => [segmentName(fileId), hintName(fileId)]);\n    await removeDurablyAsync(",
      replace: "({ fileId }) => [segmentName(fileId)]);\n    await removeDurablyAsync(",
      why: "what nobody names would fill the disk",
      tests: ["store/compaction", "crash/failed_handover"],
    },
    {
      name: "handover: the log in memory stays the old one",
      file: COMPACTION,
      find: "    keydir.segments.replace(inputs, outputs);\n",
      replace: "",
      why: "the next ACTIVE would name segments that were removed",
      tests: ["store/compaction"],
    },
    {
      name: "failed replacement of ACTIVE: the output is removed in any case",
      file: COMPACTION,
      find:
        "        if (this.#mayBeNamed(output.segment)) output.segment.retire();\n        else this",
      replace: "        this",
      why: "ACTIVE may name it, and what it holds would be lost",
      tests: ["crash/failed_handover", "crash/power_cut"],
    },
    {
      name: "failed replacement of ACTIVE: the output stays in any case",
      file: COMPACTION,
      find: "if (this.#mayBeNamed(output.segment)) output",
      replace: "if (this.#mayBeNamed(output.segment) || output.segment.length > 0) output",
      why: "what nobody names would fill the disk",
      tests: ["crash/failed_handover"],
    },
    {
      name: "failed replacement of ACTIVE: one that cannot be read names nothing",
      file: COMPACTION,
      find: "    } catch {\n      return true;\n    }",
      replace: "    } catch {\n      return false;\n    }",
      why: "ACTIVE may name the output, and what it holds would be lost",
      tests: ["crash/failed_handover", "crash/power_cut"],
    },
    {
      name: "kept deletes: dropped with the others",
      file: COMPACTION,
      find: "Math.min(lsnVisible, forgettable) : 0;",
      replace: "lsnVisible : 0;",
      why: "followers would be told to begin anew although they are not far behind",
      tests: ["store/changes_compaction"],
    },
    {
      name: "kept deletes: one too few",
      file: POLICY,
      find: "Infinity : lsnVisible - retainedVersions;",
      replace: "Infinity : lsnVisible - retainedVersions + 1;",
      why: "a follower who is as far behind as was promised would have to begin anew",
      tests: ["store/changes_compaction"],
    },
    {
      name: "kept deletes: none",
      file: POLICY,
      find: "retainedVersions === 0 ? Infinity : lsnVisible - retainedVersions;",
      replace: "retainedVersions >= 0 ? Infinity : lsnVisible;",
      why: "followers would be told to begin anew although they are not far behind",
      tests: ["store/changes_compaction"],
    },
    {
      name: "kept deletes: for ever",
      file: POLICY,
      find: "retainedVersions === 0 ? Infinity : lsnVisible - retainedVersions;",
      replace: "retainedVersions === 0 ? Infinity : lsnVisible * 0;",
      why: "what is dead would never be given back",
      tests: ["store/changes_compaction"],
    },
    {
      name: "kept deletes: count as reclaimable",
      file: POLICY,
      find: "segment.lastLsn <= forgettableLsn ? segment.tombstoneBytes : 0;",
      replace: "forgettableLsn >= -Infinity ? segment.tombstoneBytes : 0;",
      why: "one compaction after the other would rewrite them in vain",
      tests: ["store/changes_compaction"],
    },
    {
      name: "deletes that may go do not count as reclaimable",
      file: POLICY,
      find: "segment.lastLsn <= forgettableLsn ? segment.tombstoneBytes : 0;",
      replace: "segment.lastLsn < 0 && forgettableLsn < 0 ? segment.tombstoneBytes : 0;",
      why: "what is dead would never be given back",
      tests: ["store/changes_compaction", "store/auto_compaction"],
    },
    {
      name: "kept deletes: what died since is called spared",
      file: "lib/store/maintenance.ts",
      find: "      const forgettable = this.#forgettableLsn();\n      await this.#compact",
      replace: "      const forgettable = Infinity;\n      await this.#compact",
      why: "deletes whose time comes later would not be dropped by the next run",
      tests: ["store/changes_compaction"],
    },
  ],
};
