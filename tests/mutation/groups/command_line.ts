/** Mutants of the files that commands write beside a store: exports, notes, unpacked backups. */

import type { MutantGroup } from "../mutant.ts";

const ARCHIVE = "lib/cli/backup_archive.ts";
const NAME = "lib/cli/durable_name.ts";
const TESTS = ["cli/durable_names"];

export const commandLineMutants: MutantGroup = {
  name: "files of the command line",
  mutants: [
    {
      name: "what gets its name is not synced",
      file: NAME,
      find: "  fsyncSync(fd);\n  renameSync",
      replace: "  renameSync",
      why: "a power cut would leave an export of zeros under its final name",
      tests: TESTS,
    },
    {
      name: "nor is the name",
      file: NAME,
      find: "  syncDirectory(dirname(path));\n",
      replace: "",
      why: "an export that was reported could be gone",
      tests: TESTS,
    },
    {
      name: "directories are opened and not synced",
      file: NAME,
      find: "    fsyncSync(fd);\n  } catch",
      replace: "  } catch",
      why: "an export that was reported could be gone",
      tests: TESTS,
    },
    {
      name: "unpacking: files are not synced",
      file: ARCHIVE,
      find: "      this.#attempt(path, () => fsyncSync(fd));\n",
      replace: "",
      why: "ACTIVE would make a store of files without contents",
      tests: TESTS,
    },
    {
      name: "unpacking: no directory is synced",
      file: ARCHIVE,
      find: "    this.#attempt(directory, () => syncDirectory(directory));\n",
      replace: "    void directory;\n",
      why: "ACTIVE would name files that are not there",
      tests: TESTS,
    },
    {
      name: "unpacking: names are not synced before ACTIVE has its own",
      file: ARCHIVE,
      find: "    this.#sync(dirname(active));\n    this.#made.push(active);\n",
      replace: "    this.#made.push(active);\n",
      why: "ACTIVE would name files that are not there",
      tests: TESTS,
    },
    {
      name: "unpacking: the name ACTIVE is not synced",
      file: ARCHIVE,
      find: "    this.#sync(dirname(active));\n    this.#sync(this.#directory);\n",
      replace: "    this.#sync(this.#directory);\n",
      why: "a restored store could be none after a power cut",
      tests: TESTS,
    },
    {
      name: "unpacking: the log's directory is not synced into the store's",
      file: ARCHIVE,
      find: "    this.#sync(this.#directory);\n",
      replace: "",
      why: "a restored store could be empty after a power cut",
      tests: TESTS,
    },
    {
      name: "unpacking: the store's directory is not synced into the one above",
      file: ARCHIVE,
      find: "    this.#sync(dirname(this.#directory));\n",
      replace: "",
      why: "a restored store could be gone after a power cut",
      tests: TESTS,
    },
  ],
};
