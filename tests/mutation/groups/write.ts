/** Mutants that acknowledge too early, or go on after a failure. */

import type { MutantGroup } from "../mutant.ts";

const WRITER = "lib/log/log_writer.ts";
const GROUP_COMMIT = "lib/store/group_commit.ts";
const LAZY_SYNC = "lib/store/lazy_sync.ts";
const WRITE_PATH = "lib/store/write_path.ts";
const CONDITIONS = "lib/store/conditions.ts";

export const writeMutants: MutantGroup = {
  name: "acknowledgement, and refusal after a failure",
  mutants: [
    {
      name: "acknowledged before the fsync has returned",
      file: GROUP_COMMIT,
      find: "      await this.#writer.syncPooled();\n",
      replace: "      void this.#writer.syncPooled().catch(() => {});\n",
      why: "a crash would take back what somebody was told",
      tests: ["store/visibility"],
    },
    {
      name: "visible before the fsync has returned",
      file: GROUP_COMMIT,
      find: "    try {\n      await this.#writer.syncPooled();",
      replace: "    this.#publish(group);\n    try {\n      await this.#writer.syncPooled();",
      why: "a reader would rely on what a crash takes back",
      tests: ["store/visibility"],
    },
    {
      name: "visible in another order than that of the log",
      file: GROUP_COMMIT,
      find: "    this.#publish(this.#flying);\n    this.#publish(this.#filling);\n",
      replace: "    this.#publish(this.#filling);\n    this.#publish(this.#flying);\n",
      why: "an older value would stay in the index",
      tests: ["store/conditions", "store/visibility", "crash/power_cut", "store/model"],
    },
    {
      name: "acknowledged after a failed group",
      file: GROUP_COMMIT,
      find: "    for (const { listener } of writes) listener?.failed(error);\n",
      replace: "    for (const { lsn, listener } of writes) listener?.written(lsn, false);\n",
      why: "what failed must be said to have failed",
      tests: ["crash/failing_disk"],
    },
    {
      name: "conditions do not see writes in flight",
      file: WRITE_PATH,
      find: "const pending = commit?.find(hash, bytes, keyStart, keyLength);",
      replace:
        "const pending = this.#lazy === undefined ? undefined : commit?.find(hash, bytes, 0, 0);",
      why: "two writers would both find a key absent",
      tests: ["store/conditions"],
    },
    {
      name: "conditions see only those writes in flight that were looked at before",
      file: GROUP_COMMIT,
      find: "    this.#mapWrites(this.#filling);\n",
      replace: "",
      why: "two writers would both find a key absent",
      tests: ["store/conditions"],
    },
    {
      name: "conditions: version",
      file: CONDITIONS,
      find: "  if (ifVersion !== null && version !== ifVersion) {\n",
      replace: "  if (ifVersion !== null && version < 0) {\n",
      why: "a write in between would be lost",
      tests: ["store/conditions"],
    },
    {
      name: "conditions: absence",
      file: CONDITIONS,
      find: "  if (ifAbsent && version !== 0) {\n",
      replace: "  if (ifAbsent && version < 0) {\n",
      why: "a write in between would be lost",
      tests: ["store/conditions"],
    },
    {
      name: "refused on the strength of a write that may be lost",
      file: WRITE_PATH,
      find: "    if (isAboutState(error)) await this.settled();\n",
      replace: "    if (isAboutState(error)) await Promise.resolve();\n",
      why: "whoever is told that a key exists relies on it",
      tests: ["store/conditions", "crash/failing_disk", "store/visibility"],
    },
    {
      name: "refused on the strength of a write that may be lost, blocking",
      file: WRITE_PATH,
      find: "    if (isAboutState(error)) this.commit?.commitNow();\n",
      replace: "",
      why: "whoever is told that a key exists relies on it",
      tests: ["store/conditions", "crash/failing_disk", "store/visibility"],
    },
    {
      name: "batched: acknowledged however much is not durable",
      file: LAZY_SYNC,
      find: "    return position - this.#durable <= 2 * this.#bytesMax;\n",
      replace: "    return position >= 0 || this.#durable < 0;\n",
      why: "no more than was agreed to may be lost",
      tests: ["store/visibility"],
    },
    {
      name: "batched: the bell's version however much is not durable",
      file: LAZY_SYNC,
      find: "    if (admitted === undefined) this.lsnAdmitted = lsn;\n    else {",
      replace: "    if (lsn > 0) this.lsnAdmitted = lsn;\n    else if (admitted !== undefined) {",
      why: "no more than was agreed to may be lost",
      tests: ["store/direct_access"],
    },
    {
      name: "batched: called durable from the moment that the fsync begins",
      file: LAZY_SYNC,
      find: "      () => this.#noteDurable(position),\n",
      replace: "      () => this.#noteDurable(this.#appended),\n",
      why: "what came while it ran is not covered by it",
      tests: ["store/visibility"],
    },
    {
      name: "batched: waiting writers are not told of a failure",
      file: LAZY_SYNC,
      find: "    this.#rejectAll(error);\n  }\n\n  #rejectAll",
      replace:
        "    for (const { resolve } of this.#waiters.splice(0)) resolve();\n  }\n\n  #rejectAll",
      why: "what failed must be said to have failed",
      tests: ["crash/told_failure"],
    },
    {
      name: "batched: a failure is not told at closing",
      file: WRITE_PATH,
      find: "        throw writer.failure;\n",
      replace: "        void writer.failure;\n",
      why: "what was acknowledged before may be lost, and somebody has to be told",
      tests: ["crash/failing_disk"],
    },
    {
      name: "flush: a failure is not told",
      file: WRITE_PATH,
      find:
        "    await (this.commit?.settled() ?? this.#lazy!.flush());\n    this.writer.assertWritable();\n",
      replace: "    await (this.commit?.settled() ?? this.#lazy!.flush());\n",
      why: "flush says that everything is durable",
      tests: ["crash/failing_disk"],
    },
    {
      name: "flushSync: a failure is not told",
      file: WRITE_PATH,
      find: "    else this.#lazy!.flushSync();\n    this.writer.assertWritable();\n",
      replace: "    else this.#lazy!.flushSync();\n",
      why: "flushSync says that everything is durable",
      tests: ["crash/told_failure"],
    },
    {
      name: "writer: goes on after a failure",
      file: WRITER,
      find: "    this.#refusal.assertNone();\n",
      replace: "",
      why: "what stands behind a failed write cannot be trusted to be found",
      tests: ["crash/failing_disk", "store/visibility"],
    },
    {
      name: "writer: does not remember a failure",
      file: "lib/log/refusal.ts",
      find: "      this.failure = failure;\n",
      replace: "",
      why: "an fsync that is tried again may say yes to lost data",
      tests: ["crash/failing_disk", "store/visibility"],
    },
    {
      name: "writer: a failed pooled fsync passes",
      file: WRITER,
      find: `      await pooled.sync();
    } catch (error) {
      throw this.#refusal.begin(error);`,
      replace: `      await pooled.sync();
    } catch (error) {
      void error;`,
      why: "what was acknowledged on its strength may be lost",
      tests: ["crash/failing_disk", "store/visibility"],
    },
    {
      name: "writer: a failed blocking fsync passes",
      file: WRITER,
      find: "    this.#refusal.attempt(() => this.#segment.file.sync());\n",
      replace: "    try {\n      this.#segment.file.sync();\n    } catch {\n      void 0;\n    }\n",
      why: "what was acknowledged on its strength may be lost",
      tests: ["crash/failing_disk", "store/visibility"],
    },
    {
      name: "writer: a failed fsync is tried again",
      file: WRITER,
      find: "    this.#refusal.attempt(() => this.#segment.file.sync());\n",
      replace: `    try {
      this.#segment.file.sync();
    } catch {
      this.#segment.file.sync();
    }
`,
      why: "the second one may say yes to what the first one lost",
      tests: ["crash/failing_disk", "store/visibility"],
    },
    {
      name: "writer: a pooled fsync succeeds beside a failure",
      file: WRITER,
      find:
        "    // A failure in the meantime, of whatever kind, makes this success worth nothing.\n    this.assertWritable();\n",
      replace: "",
      why: "the kernel may have told another descriptor of the error",
      tests: ["crash/told_failure"],
    },
    {
      name: "writer: blocking and pooled fsyncs share a descriptor",
      file: WRITER,
      find: "      await pooled.sync();\n",
      replace: "      await (pooled === undefined ? pooled : segment.file.syncAsync());\n",
      why: "the kernel tells each descriptor of an error once",
      tests: ["crash/failing_disk", "store/close", "store/visibility"],
    },
    {
      name: "writer: a failed write of space passes",
      file: "lib/log/space_ahead.ts",
      find: `      if (!(error instanceof KvError) || error.code !== "NoSpace") throw error;\n`,
      replace: `      if (!(error instanceof KvError)) throw error;\n`,
      why: "a disk that fails at one write is not trusted with the next",
      tests: ["log/space_ahead"],
    },
    {
      name: "writer: a pooled fsync is tried after one that failed",
      file: "lib/log/pooled_sync.ts",
      find: "      if (this.#failure !== undefined) throw this.#failure;\n",
      replace: "",
      why: "the second one may say yes to what the first one lost",
      tests: ["log/pooled_sync"],
    },
  ],
};
