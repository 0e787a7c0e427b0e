/** Replaces the file given by a rename, over and over, until it is killed. */

import { renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { say } from "./say.ts";

const path = process.argv[2] ?? "";
for (let count = 0;; count++) {
  writeFileSync(`${path}.tmp`, `${count}`.padStart(10));
  renameSync(`${path}.tmp`, path);
  if (count === 0) say("begun");
}
