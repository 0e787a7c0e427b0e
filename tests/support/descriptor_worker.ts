/** A worker that opens, maps and closes files, and leaves some of them open. */

import { parentPort, workerData } from "node:worker_threads";
import { defaultFileSystem } from "../../lib/fs/default.ts";
import type { File } from "../../lib/fs/file_system.ts";

const { paths, rounds } = workerData as { paths: string[]; rounds: number };

let open: File[] = [];
const byte = new Uint8Array(1);
for (let round = 0; round < rounds; round++) {
  for (const file of open) file.close();
  open = paths.map((path) => defaultFileSystem.open(path, "read"));
  for (const file of open) file.map?.(1);
  // Each has to be the file that it was opened as, whatever number it has now.
  open.forEach((file, index) => {
    if (file.read(byte, 0, 1, 0) !== 1 || byte[0] !== index) {
      throw new Error(`${file.path} is another file`);
    }
  });
}
open.pop()!.close();
parentPort!.postMessage("open");
// Waits to be terminated, with what is open still in use.
parentPort!.on("message", () => parentPort!.postMessage(open.length));
