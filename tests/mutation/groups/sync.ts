/** Mutants without one of the fsyncs of files. */

import type { MutantGroup } from "../mutant.ts";

const WRITER = "lib/log/log_writer.ts";
const GROUP_COMMIT = "lib/store/group_commit.ts";
const LAZY_SYNC = "lib/store/lazy_sync.ts";
const DURABLE = "lib/fs/durable.ts";
const NODE_FS = "lib/fs/node_file_system.ts";
const OPEN = "lib/store/open_log.ts";
const TAIL = "lib/log/tail_rewrite.ts";
const WRITE_PATH = "lib/store/write_path.ts";

export const syncMutants: MutantGroup = {
  name: "fsync of files",
  mutants: [
    {
      name: "log writer: every blocking fsync",
      file: WRITER,
      find: "    this.#refusal.attempt(() => this.#segment.file.sync());\n",
      replace: "",
      why: "what was acknowledged would be in the page cache only",
      tests: ["crash/power_cut"],
    },
    {
      name: "log writer: the one of sync()",
      file: WRITER,
      find: `    this.#syncSegment();
  }

  /** As`,
      replace: `    this.#noteDurable(this.#segment, this.#bufferStart, this.#lsnAppended, 0);
  }

  /** As`,
      why: "a single write is acknowledged on its strength",
      tests: ["crash/power_cut"],
    },
    {
      name: "log writer: the pooled one",
      file: WRITER,
      find: "      await pooled.sync();\n",
      replace: "      await pooled.idle();\n",
      why: "a group of writes is acknowledged on its strength",
      tests: ["crash/power_cut"],
    },
    {
      name: "log writer: every pooled one",
      file: "lib/log/pooled_sync.ts",
      find: "      const run = this.#file.syncAsync();\n",
      replace: "      const run = Promise.resolve();\n",
      why: "a group of writes is acknowledged on its strength",
      tests: ["store/pending_rotation", "crash/power_cut"],
    },
    {
      name: "log writer: that of the mark which seals",
      file: WRITER,
      find: `    this.#syncSegment();
    this.#markedOffset`,
      replace: `    this.#noteDurable(this.#segment, this.#bufferStart, this.#lsnAppended, 0);
    this.#markedOffset`,
      why: "ACTIVE calls the mark durable right afterwards",
      tests: ["crash/recovered_log", "crash/power_cut"],
    },
    {
      name: "log writer: what comes before the mark which seals",
      file: WRITER,
      find: "    this.sync();\n    if (this.#markedOffset",
      replace: "    if (this.#markedOffset",
      why: "the mark can only call durable what was synced before it",
      tests: ["crash/tail", "crash/torn_tail", "log/recovery", "store/replay"],
      equivalent: {
        because: "whoever seals has made everything durable before",
        together: "closing: everything before the mark which seals",
      },
    },
    {
      name: "new segment",
      file: "lib/log/segment_file.ts",
      find: "    file.sync();\n",
      replace: "",
      why: "ACTIVE names the segment next, so its header must be there",
      tests: ["crash/power_cut"],
    },
    {
      name: "hint file",
      file: "lib/log/hint_writer.ts",
      find: "    await this.#file.syncAsync();\n",
      replace: "    await Promise.resolve();\n",
      why: "the name must not come before the content",
      tests: ["log/hint_file"],
    },
    {
      name: "output of compaction",
      file: "lib/store/compaction_output.ts",
      find: "    await segment.file.syncAsync();\n",
      replace: "    await Promise.resolve();\n",
      why: "ACTIVE names it next, and what it was made of is removed",
      tests: ["crash/power_cut"],
    },
    {
      name: "recovered log",
      file: OPEN,
      find: "  newest.file.sync();\n",
      replace: "",
      why: "what a killed process wrote is read from now on, and must stay true",
      tests: ["crash/recovered_log", "crash/power_cut"],
    },
    {
      name: "recovered log that is sealed but not noted in ACTIVE",
      file: OPEN,
      find: "  return replay.sealed && state.segments.at(-1)!.length === newest.length;",
      replace: "  return replay.sealed && state.segments.length > 0 && newest.length > 0;",
      why: "the mark that seals says nothing about itself",
      tests: ["crash/recovered_log", "crash/power_cut"],
    },
    {
      name: "recovered log: not written anew",
      file: OPEN,
      find: "  rewriteTail(newest.file, replay.durableOffset, newest.length);\n",
      replace: "",
      why: "after a failed fsync, the next one writes nothing: what was read would be lost",
      tests: ["crash/recovered_log"],
    },
    {
      name: "recovered log: written anew after the fsync only",
      file: OPEN,
      find: "    rewriteTail(newest.file, replay.durableOffset, newest.length);\n",
      replace:
        "    newest.file.sync();\n    rewriteTail(newest.file, replay.durableOffset, newest.length);\n",
      and: [{
        file: OPEN,
        find: "the write is kept.\n  newest.file.sync();\n",
        replace: "the write is kept.\n",
      }],
      why: "what is written behind an fsync is not covered by it",
      tests: ["crash/recovered_log"],
    },
    {
      name: "recovered log: written anew from too late on",
      file: TAIL,
      find: "  for (let offset = start; offset < end;) {\n",
      replace: "  for (let offset = Math.min(start + 16, end); offset < end;) {\n",
      why: "a frame whose beginning is lost is no frame",
      tests: ["crash/recovered_log"],
    },
    {
      name: "recovered log: written anew from where the scan ended",
      file: "lib/store/replay.ts",
      find: "      this.durableOffset = durableOffset;\n",
      replace: "      this.durableOffset = Math.max(durableOffset, validEnd);\n",
      why: "what no mark calls durable must be written anew",
      tests: ["crash/recovered_log"],
    },
    {
      name: "recovered log: only the first piece written anew",
      file: TAIL,
      find: "    offset += count;\n",
      replace: "    offset = Math.max(offset + count, end);\n",
      why: "a long record would be lost in the middle",
      tests: ["crash/recovered_log"],
    },
    {
      name: "torn tail that was cut off",
      file: "lib/store/replay.ts",
      find: "    segment.file.sync();\n",
      replace: "",
      why: "the tail could come back behind new records",
      tests: ["crash/torn_tail", "crash/power_cut"],
      equivalent: {
        because: "the recovered log is synced at the end of every opening that cut something off",
        together: "torn tail that was cut off, and recovered log",
      },
    },
    {
      name: "torn tail that was cut off, and recovered log",
      file: "lib/store/replay.ts",
      find: "    segment.file.sync();\n",
      replace: "",
      and: [{
        file: OPEN,
        find: "  newest.file.sync();\n",
        replace: "",
      }],
      why: "one of the two must make the cut durable",
      tests: ["crash/recovered_log", "crash/power_cut"],
    },
    {
      name: "replaceDurably: content",
      file: DURABLE,
      find: `      writeFully(file, bytes, 0, bytes.length, 0);
      file.sync();
    } finally`,
      replace: `      writeFully(file, bytes, 0, bytes.length, 0);
    } finally`,
      why: "the rename could become durable before the content of ACTIVE",
      tests: ["fs/durable"],
    },
    {
      name: "salvaged segment",
      file: "lib/tools/salvage_writer.ts",
      find: "    segment.file.sync();\n",
      replace: "",
      why: "ACTIVE of the repaired store names it next",
      tests: ["tools/repair_directories"],
    },
    {
      name: "the machine's: blocking",
      file: NODE_FS,
      find: "      fs.fdatasyncSync(this.#open());\n",
      replace: "      this.#open();\n",
      why: "every fsync above ends here",
      tests: ["fs/system_calls"],
    },
    {
      name: "the machine's: on another thread",
      file: NODE_FS,
      find: '#async<void>("sync", (fd, done) => fs.fdatasync(fd, (error) => done(error)))',
      replace: '#async<void>("sync", (_fd, done) => queueMicrotask(() => done(null)))',
      why: "every fsync above ends here",
      tests: ["fs/system_calls"],
    },
    {
      name: "group commit: of blocking writes",
      file: GROUP_COMMIT,
      find: `    if (this.size === 0) return;
    try {
      this.#writer.sync();
`,
      replace: `    if (this.size === 0) return;
    try {
      this.#writer.writeOut();
`,
      why: "setSync returns when the write is durable",
      tests: ["crash/power_cut"],
    },
    {
      name: "group commit: of several writes",
      file: GROUP_COMMIT,
      find: "      await this.#writer.syncPooled();\n",
      replace: "      await Promise.resolve(this.#writer.writeOut());\n",
      why: "set resolves when the write is durable",
      tests: ["crash/power_cut", "store/visibility"],
    },
    {
      name: "group commit: of a single write, or of several on a fast disk",
      file: GROUP_COMMIT,
      find: `    const begin = this.#clock.monotonic();
    try {
      this.#writer.sync();
`,
      replace: `    const begin = this.#clock.monotonic();
    try {
      this.#writer.writeOut();
`,
      why: "set resolves when the write is durable",
      tests: ["crash/power_cut", "store/visibility"],
    },
    {
      name: "group commit: every one",
      file: GROUP_COMMIT,
      find: "      await this.#writer.syncPooled();\n",
      replace: "      await Promise.resolve(this.#writer.writeOut());\n",
      and: [{
        file: GROUP_COMMIT,
        find: `    const begin = this.#clock.monotonic();
    try {
      this.#writer.sync();
`,
        replace: `    const begin = this.#clock.monotonic();
    try {
      this.#writer.writeOut();
`,
      }],
      why: "set resolves when the write is durable",
      tests: ["crash/power_cut", "store/visibility"],
    },
    {
      name: "batched: of a blocking flush",
      file: LAZY_SYNC,
      find: "      this.#writer.sync();\n",
      replace: "      this.#writer.writeOut();\n",
      why: "flushSync returns when everything is durable",
      tests: ["crash/flush"],
    },
    {
      name: "batched: in the background",
      file: LAZY_SYNC,
      find: "this.#running = this.#writer.syncPooled().then(",
      replace: "this.#running = Promise.resolve(this.#writer.writeOut()).then(",
      and: [{
        file: LAZY_SYNC,
        // It would wait for ever, without giving anybody else a turn.
        find: "    while (this.#writer.lsnDurable < lsn) {\n",
        replace: "    if (this.#writer.lsnDurable < lsn) {\n",
      }],
      why: "flush resolves when everything is durable",
      tests: ["crash/flush"],
    },
    {
      name: "batched: that which flush asks for",
      file: LAZY_SYNC,
      find: "      await (this.#running ?? this.#sync());\n",
      replace: "      if (this.#running === undefined) return;\n      await this.#running;\n",
      why: "flush resolves when everything is durable",
      tests: ["crash/flush"],
    },
    {
      name: "batched: after so many bytes",
      file: LAZY_SYNC,
      find:
        `    if (pending >= this.#bytesMax || this.#writer.bytesInFlight >= closing) void this.#sync();
    else if (`,
      replace: "    if (",
      why: "no more than that may be lost",
      tests: ["store/visibility"],
    },
    {
      name: "batched: after so many milliseconds",
      file: LAZY_SYNC,
      find: "else if (this.#running === undefined) void this.#sync();\n",
      replace: "else if (this.#running === undefined) this.#disarm();\n",
      why: "no more than what came in that time may be lost",
      tests: ["store/visibility"],
    },
    {
      name: "recovered log: the mark that seals it",
      file: WRITE_PATH,
      find: "    if (!log.sealed) this.#sealRecovered();\n",
      replace: "",
      why: "damage to what was recovered must be told from a torn tail",
      tests: ["crash/torn_tail", "crash/tail", "crash/recovered_log"],
    },
    {
      name: "recovered log: synced, but without the mark that seals it",
      file: WRITE_PATH,
      find: "      this.writer.seal();\n",
      replace: "      this.writer.sync();\n",
      why: "damage to what was recovered must be told from a torn tail",
      tests: ["crash/torn_tail", "crash/tail", "crash/recovered_log"],
    },
    {
      name: "closing: the mark that seals",
      file: WRITE_PATH,
      find: "        writer.seal();\n",
      replace: "        writer.sync();\n",
      why: "a store that was closed has no torn tail",
      tests: ["crash/flush"],
    },
    {
      name: "closing: everything",
      file: WRITE_PATH,
      find:
        "        await this.#lazy?.flush();\n        await writer.rotated();\n        writer.seal();\n",
      replace: "",
      why: "whoever closes a store expects it on the disk",
      tests: ["crash/flush"],
    },
    {
      name: "closing: everything before the mark which seals",
      file: WRITE_PATH,
      find: "        await this.#lazy?.flush();\n        await writer.rotated();\n",
      replace: "        await writer.rotated();\n",
      and: [{
        file: WRITER,
        find: "    this.sync();\n    if (this.#markedOffset",
        replace: "    if (this.#markedOffset",
      }],
      why: "the mark can only call durable what was synced before it",
      tests: ["crash/flush"],
    },
    {
      name: "closing: writes in flight",
      file: WRITE_PATH,
      find: "      await this.commit?.settled();\n      this.#lazy",
      replace: "      this.#lazy",
      why: "writes in flight are finished before the files are closed",
      tests: ["store/close", "linearizability/simulated_disk", "crash/power_cut"],
    },
  ],
};
