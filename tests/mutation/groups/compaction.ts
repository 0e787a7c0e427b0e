/** Mutants of compaction: what it may drop, what it may move, and in which order. */

import type { MutantGroup } from "../mutant.ts";

const COMPACTION = "lib/store/compaction.ts";
const POLICY = "lib/store/compaction_policy.ts";
const REPLAY_BATCH = "lib/store/replay_batch.ts";
const OUTPUT = "lib/store/compaction_output.ts";

export const compactionMutants: MutantGroup = {
  name: "tombstones, expiry and compaction",
  mutants: [
    {
      name: "tombstone: older segments that still hold something",
      file: POLICY,
      find: "  return dirty < 0 ? closed.length : dirty;\n",
      replace: "  return dirty < 0 ? closed.length : closed.length;\n",
      why: "the value that it deleted would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "tombstone: dropped whatever is older",
      file: COMPACTION,
      find: `if (address !== 0 && index.lsn(address) > lsn) return;
      if (lsn <= this.#droppableLsn) {`,
      replace: `if (address !== 0 && index.lsn(address) > lsn) return;
      if (lsn > 0) {`,
      why: "the value that it deleted would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "tombstone: dropped in the place of an older value",
      file: COMPACTION,
      find: "      if (address !== 0 && index.lsn(address) > lsn) return;\n",
      replace: "      if (address !== 0 || index.size >= 0) return;\n",
      why: "the value that it deleted would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "tombstone: newer than what was visible at the beginning",
      file: COMPACTION,
      find: "group.at(-1)! < cleanCount ? Math.min(lsnVisible, forgettable) : 0;",
      replace: "group.at(-1)! < cleanCount ? forgettable : 0;",
      why: "what it deletes may have been alive when segments were found to be clean",
      tests: ["store/resurrection", "store/compaction", "crash/power_cut"],
      equivalent: {
        because: "only segments whose every record was visible are compacted at all",
        together: "tombstone: newer than what was visible, in a segment that is not all visible",
      },
    },
    {
      name: "tombstone: newer than what was visible, in a segment that is not all visible",
      file: COMPACTION,
      find: "group.at(-1)! < cleanCount ? Math.min(lsnVisible, forgettable) : 0;",
      replace: "group.at(-1)! < cleanCount ? forgettable : 0;",
      and: [{
        file: COMPACTION,
        find: "\n      .filter((segment) => segment.lastLsn <= lsnVisible);",
        replace: ";",
      }],
      why: "a value in flight would be dropped with a tombstone before it",
      tests: ["crash/compaction_in_flight"],
    },
    {
      name: "tombstone: the newest dropped one is not noted",
      file: COMPACTION,
      find: `      if (lsn <= this.#droppableLsn) {
        this.droppedLsn = Math.max(this.droppedLsn, lsn);
        return;
      }
    } else`,
      replace: `      if (lsn <= this.#droppableLsn) return;
    } else`,
      why: "followers would not be told that they have missed a delete",
      tests: ["store/dropped_lsn"],
    },
    {
      name: "expired: the newest dropped one is not noted",
      file: COMPACTION,
      find: `        this.droppedLsn = Math.max(this.droppedLsn, lsn);
        return;
      }
      this.#outputFor(lsn, frameLengthOf`,
      replace: `        return;
      }
      this.#outputFor(lsn, frameLengthOf`,
      why: "followers would not be told that they have missed an end",
      tests: ["store/dropped_lsn"],
    },
    {
      name: "dropped records: what ACTIVE said before is forgotten",
      file: COMPACTION,
      find: "active.replace(remaining, Math.max(active.droppedLsn, group.droppedLsn));",
      replace: "active.replace(remaining, group.droppedLsn);",
      why: "followers would not be told that they have missed a delete",
      tests: ["store/dropped_lsn"],
    },
    {
      name: "expired: dropped whatever is older",
      file: COMPACTION,
      find: `      // back since, so it is not asked which.
      if (lsn <= this.#droppableLsn) {`,
      replace: `      // back since, so it is not asked which.
      if (lsn > 0) {`,
      why: "an older value, hidden by the expired one, would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "expired: not buried",
      file: COMPACTION,
      find:
        `      this.#outputFor(lsn, frameLengthOf(keyLength, 0)).bury(lsn, bytes, keyStart, keyLength);
`,
      replace: "",
      why: "an older value, hidden by the expired one, would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "expired: dropped like any superseded value",
      file: COMPACTION,
      find: "      if (address !== 0 || op !== OP_SET_EXPIRING) return;\n",
      replace: "      if (address !== 0 || op >= 0) return;\n",
      why: "an older value, hidden by the expired one, would come back",
      tests: ["store/resurrection"],
    },
    {
      name: "expired: at opening it hides nothing",
      file: REPLAY_BATCH,
      find: "op === OP_DELETE || (op === OP_SET_EXPIRING && expiresAt <= this.#now)",
      replace: "op === OP_DELETE",
      why: "it must be gone at opening, and the figures exact",
      tests: ["store/resurrection"],
    },
    {
      name: "expired: at opening it is skipped",
      file: REPLAY_BATCH,
      find: "    const at = records.count++;\n",
      replace:
        "    if (op === OP_SET_EXPIRING && expiresAt <= this.#now) return;\n    const at = records.count++;\n",
      why: "an older value would come back",
      tests: ["store/resurrection", "store/expiry"],
    },
    {
      name: "expired: readers do not look at the time",
      file: "lib/store/store.ts",
      find: "if (address === 0 || keydir.isExpired(address, this.#options.clock)) return 0;",
      replace: "if (address === 0) return 0;",
      why: "a value would be seen after its time",
      tests: ["store/expiry"],
    },
    {
      name: "expired: conditions do not look at the time",
      file: "lib/store/write_path.ts",
      find: "if (address === 0 || this.#keydir.isExpired(address, this.#clock)) return 0;",
      replace: "if (address === 0) return 0;",
      why: "an expired value would refuse ifAbsent",
      tests: ["store/expiry", "store/conditions"],
    },
    {
      name: "expired: conditions do not look at the time of a write in flight",
      file: "lib/store/write_path.ts",
      find: "const gone = isDelete || (expiresAt !== 0 && expiresAt <= this.#clock.now());",
      replace: "const gone = isDelete || expiresAt < 0;",
      why: "an expired value would refuse ifAbsent",
      tests: ["store/conditions", "store/expiry"],
    },
    {
      name: "compare before moving: version",
      file: COMPACTION,
      find: "address !== 0 && index.lsn(address) === hint.lsn && inputIds",
      replace: "address !== 0 && inputIds",
      why: "an entry would point at an older value than the one just written",
      tests: ["store/compaction", "crash/power_cut", "store/model"],
      equivalent: {
        because:
          "what is written meanwhile is in other segments, and of inputs the newest was copied",
        together: "compare before moving: version and segment",
      },
    },
    {
      name: "compare before moving: segment",
      file: COMPACTION,
      find: "index.lsn(address) === hint.lsn && inputIds.has(index.fileId(address))",
      replace: "index.lsn(address) === hint.lsn && inputIds.size > 0",
      why: "an entry would point at something else than it means",
      tests: ["store/compaction", "crash/power_cut"],
      equivalent: {
        because: "no two segments hold records of one version, but for inputs and their output",
        together: "compare before moving: version and segment",
      },
    },
    {
      name: "compare before moving: version and segment",
      file: COMPACTION,
      find:
        "address !== 0 && index.lsn(address) === hint.lsn && inputIds.has(index.fileId(address))",
      replace: "address !== 0 && inputIds.size > 0",
      why: "an entry would point at an older value than the one just written",
      tests: ["store/compaction", "crash/power_cut"],
    },
    {
      name: "compare before copying: version",
      file: COMPACTION,
      find: "} else if (address === 0 || index.lsn(address) !== lsn) {",
      replace: "} else if (address === 0) {",
      why: "nothing would ever be given back",
      tests: ["store/compaction"],
    },
    {
      name: "what supersedes is durable before ACTIVE is replaced",
      file: COMPACTION,
      find: "      await makeVisibleDurable();\n      this.#checkCancelled();",
      replace: "      this.#checkCancelled();",
      why: "after a crash neither the older nor the newer value would be there",
      tests: ["crash/power_cut", "crash/compaction_in_flight"],
    },
    {
      name: "what is in flight is visible before segments are chosen",
      file: COMPACTION,
      find: "    await settle();\n    const lsnVisible",
      replace: "    const lsnVisible",
      and: [{
        file: COMPACTION,
        find: "    await settle();\n    const { active }",
        replace: "    const { active }",
      }],
      why: "compact() rewrites what was written before the call",
      tests: ["crash/compaction_in_flight"],
    },
    {
      name: "only segments that are visible as a whole",
      file: COMPACTION,
      find: "\n      .filter((segment) => segment.lastLsn <= lsnVisible);",
      replace: ";",
      why: "a write in flight is not in the index yet, and would be dropped",
      tests: ["crash/compaction_in_flight"],
    },
    {
      name: "output and hint are complete before ACTIVE names them",
      file: COMPACTION,
      find: "      for (const output of group.outputs) await output.finish();\n",
      replace: "      for (const output of group.outputs) void output.finish();\n",
      why: "ACTIVE would name a segment that is not yet durable",
      tests: ["store/compaction", "crash/power_cut"],
    },
    {
      name: "inputs removed before ACTIVE is replaced",
      file: COMPACTION,
      find: "      active.replace(remaining, ",
      replace: `      await removeDurablyAsync(
        this.#context.fs,
        this.#context.directory,
        inputs.flatMap(({ fileId }) => [segmentName(fileId), hintName(fileId)]),
      );
      active.replace(remaining, `,
      why: "a crash between the two leaves no log",
      tests: ["crash/power_cut"],
    },
    {
      name: "inputs closed before entries are moved",
      file: COMPACTION,
      find: `      for (const output of outputs) await this.#relocate(inputs, output);
      keydir.segments.forget(inputs);
`,
      replace: `      keydir.segments.forget(inputs);
      for (const output of outputs) await this.#relocate(inputs, output);
`,
      why: "readers would meet entries that point at closed files",
      tests: ["store/compaction"],
    },
    {
      name: "inputs closed while they are read",
      file: "lib/log/pinned_file.ts",
      find: "    this.#retired = true;\n    if (this.#pins === 0) this.file.close();",
      replace: "    this.#retired = true;\n    this.file.close();",
      why: "a long value would be cut off in the middle",
      tests: ["store/compaction"],
    },
    {
      name: "abandoned output is left",
      file: COMPACTION,
      find: "      for (const output of group.outputs) this.#abort(output);\n",
      replace: "",
      why: "what nobody names would fill the disk",
      tests: ["crash/damage_while_open"],
    },
    {
      name: "output outgrows the segment",
      file: COMPACTION,
      find: "newest.length + frameLength + SYNC_FRAME_BYTES <= thresholds.segmentBytesMax);",
      replace: "newest.length >= 0);",
      why: "offsets must fit 31 bits",
      tests: ["store/rotation"],
    },
    {
      name: "output: records before the header is durable",
      file: OUTPUT,
      find: "      await file.syncAsync();\n",
      replace: "",
      why: "records whose header a power cut took away look like a log that nobody knows",
      tests: ["crash/compaction_cut"],
    },
    {
      name: "buried: under another version",
      file: OUTPUT,
      find: "writeFrameHeader(this.#buffer.view, at, OP_DELETE, lsn, keyLength, 0);",
      replace: "writeFrameHeader(this.#buffer.view, at, OP_DELETE, lsn + 1, keyLength, 0);",
      why: "versions ascend in a segment, and each is of one record",
      tests: ["store/resurrection", "crash/power_cut"],
    },
    {
      name: "ids of files are used again",
      file: "lib/log/active_file.ts",
      find: "    this.#state.nextFileId = fileId + 1;\n    return fileId;",
      replace: "    return fileId;",
      why: "what an index entry or a hint means by an id must stay one file",
      tests: ["store/rotation", "store/compaction"],
    },
    {
      name: "ids of files that never became part of the log are used again",
      file: "lib/store/open_log.ts",
      find: "log.active.reserveFileIds(nextFileId) || isDoubtful",
      replace: "nextFileId > 0 && isDoubtful",
      why: "a leftover that comes back after a crash would be in the way of a new file",
      tests: ["crash/leftover_ids"],
    },
  ],
};
