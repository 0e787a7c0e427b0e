/** A snapshot of a store that tells what comes of the backup for which it is taken. */

import type { StoreFile, StoreSnapshot } from "../../mod.ts";

/** What has come of a backup: whole, failed because of the store, or left off by who read it. */
export type BackupOutcome = "whole" | { error: unknown } | "abandoned";

/** The same snapshot; `onEnd` is called once, when all was read, something failed, or it is closed. */
export function observeSnapshot(
  snapshot: StoreSnapshot,
  onEnd: (outcome: BackupOutcome) => void,
): StoreSnapshot {
  let isOver = false;
  const end = (outcome: BackupOutcome) => {
    if (isOver) return;
    isOver = true;
    onEnd(outcome);
  };
  const close = () => {
    end("abandoned");
    snapshot.close();
  };
  return {
    version: snapshot.version,
    files: () => observeFiles(snapshot, end),
    close,
    [Symbol.dispose]: close,
  };
}

async function* observeFiles(
  snapshot: StoreSnapshot,
  end: (outcome: BackupOutcome) => void,
): AsyncGenerator<StoreFile> {
  try {
    for await (const file of snapshot.files()) {
      yield { name: file.name, length: file.length, pieces: () => observePieces(file, end) };
    }
  } catch (error) {
    end({ error });
    throw error;
  }
  end("whole");
}

async function* observePieces(
  file: StoreFile,
  end: (outcome: BackupOutcome) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* file.pieces();
  } catch (error) {
    end({ error });
    throw error;
  }
}
