/** Uses every part of the file system on the directory named by its argument, then says `done`. */

import { join } from "node:path";
import process from "node:process";
import { defaultFileSystem as fs } from "../../lib/fs/default.ts";
import { removeDurably, replaceDurably } from "../../lib/fs/durable.ts";
import { readFile } from "../../lib/fs/whole_file.ts";

const root = process.argv[2] ?? "";
const wal = join(root, "wal");
fs.makeDirectory(wal);
const lock = fs.lock(join(root, "LOCK"));
if (lock === undefined) throw new Error("nobody else should have the lock");
const bytes = new TextEncoder().encode("hello");
replaceDurably(fs, wal, "ACTIVE", bytes);
const segment = fs.open(join(wal, "1.log"), "create");
fs.syncDirectory(wal);
segment.write(bytes, 0, bytes.length, 0);
await segment.syncAsync();
segment.truncate(2);
segment.sync();
await segment.readAsync(new Uint8Array(2), 0, 2, 0);
segment.close();
if (readFile(fs, join(wal, "1.log"), 10).length !== 2) throw new Error("the file should be cut");
removeDurably(fs, wal, ["1.log"]);
if (fs.readDirectory(wal).join() !== "ACTIVE") throw new Error("one file should remain");
lock.release();
process.stdout.write("done\n");
