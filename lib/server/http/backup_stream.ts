/**
 * A store as a tar archive, while it is in use. It is read as fast as the client takes it, but for a
 * few MiB that the archive is ahead. What fails on the way cuts the connection off before the blocks
 * that end an archive, so that nobody takes what came so far for everything.
 */

import { createTarPacker } from "modern-tar";
import { KvError } from "../../errors.ts";
import type { StoreSnapshot } from "../../mod.ts";
import type { Logger } from "../../telemetry/logger.ts";

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** What a backup is made of. */
export interface BackupStreamContext {
  snapshot: StoreSnapshot;
  /** The directory in the archive that is the store. */
  directory: string;
  /** When the files in it were changed last, in milliseconds since the epoch. */
  modifiedAt: number;
  logger: Logger;
  /** Called once when it is over, however that came about; the snapshot is closed then. */
  onEnd: () => void;
}

/** Makes the body. Nothing is read before it is asked for. */
export function streamBackup(context: BackupStreamContext): ReadableStream<Uint8Array> {
  const { snapshot, logger, onEnd } = context;
  const { readable, controller: packer } = createTarPacker();
  const reader = readable.getReader();
  let hasBegun = false;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    snapshot.close();
    onEnd();
  };
  const pack = async () => {
    try {
      await packStore(packer, context);
    } catch (error) {
      // The reader hears of it.
      packer.error(error);
    }
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!hasBegun) {
        hasBegun = true;
        pack();
      }
      try {
        const { done, value } = await reader.read();
        if (isOver) return;
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        if (isOver) return;
        end();
        const isExpected = error instanceof KvError && error.code === "Closed";
        if (!isExpected) logger.error("A backup was cut off: {error}", { error });
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

type Packer = ReturnType<typeof createTarPacker>["controller"];

async function packStore(
  packer: Packer,
  { snapshot, directory, modifiedAt }: BackupStreamContext,
): Promise<void> {
  const mtime = new Date(modifiedAt);
  const directories = new Set<string>();
  for await (const { name, length, pieces } of snapshot.files()) {
    const path = `${directory}/${name}`;
    for (const parent of parentsOf(path)) {
      if (directories.has(parent)) continue;
      directories.add(parent);
      const header = { name: parent, size: 0, type: "directory", mode: DIRECTORY_MODE } as const;
      await packer.add({ ...header, mtime }).close();
    }
    const header = { name: path, size: length, mode: FILE_MODE, mtime };
    const writer = packer.add(header).getWriter();
    // Its fate is that of the writes, which are waited for.
    writer.closed.catch(() => {});
    for await (const piece of pieces()) await writer.write(piece);
    await writer.close();
  }
  packer.finalize();
}

/** `a/`, `a/b/` for `a/b/c`. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
    parents.push(path.slice(0, at + 1));
  }
  return parents;
}
