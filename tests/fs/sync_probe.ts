/** Makes directories and syncs a file in the directory named by its argument; watched from outside. */

import { join } from "node:path";
import process from "node:process";
import { nodeFileSystem as fs } from "../../lib/fs/node_file_system.ts";

const root = process.argv[2] ?? "";
fs.makeDirectory(join(root, "a/b"));
const file = fs.open(join(root, "a/b/f"), "create");
file.write(new Uint8Array(3), 0, 3, 0);
file.sync();
file.write(new Uint8Array(4), 0, 4, 3);
await file.syncAsync();
file.close();
fs.syncDirectory(join(root, "a"));
await fs.syncDirectoryAsync!(join(root, "a/b"));
