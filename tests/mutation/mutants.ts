/** All mutants, by what they are about. */

import { activeMutants } from "./groups/active.ts";
import { changesMutants } from "./groups/changes.ts";
import { checksumMutants } from "./groups/checksum.ts";
import { checkpointMutants } from "./groups/checkpoint.ts";
import { commandLineMutants } from "./groups/command_line.ts";
import { compactionMutants } from "./groups/compaction.ts";
import { directorySyncMutants } from "./groups/directory_sync.ts";
import { handoverMutants } from "./groups/handover.ts";
import { hintMutants } from "./groups/hint.ts";
import { indexMutants } from "./groups/index.ts";
import { leftoversMutants } from "./groups/leftovers.ts";
import { lengthMutants } from "./groups/length.ts";
import { markMutants } from "./groups/mark.ts";
import { memoryMapMutants } from "./groups/memory_map.ts";
import { newStoreMutants } from "./groups/new_store.ts";
import { openingMutants } from "./groups/opening.ts";
import { placeMutants } from "./groups/place.ts";
import { rotationMutants } from "./groups/rotation.ts";
import { sharingMutants } from "./groups/sharing.ts";
import { snapshotMutants } from "./groups/snapshot.ts";
import { syncMutants } from "./groups/sync.ts";
import { toolsMutants } from "./groups/tools.ts";
import { truncationMutants } from "./groups/truncation.ts";
import { writeMutants } from "./groups/write.ts";
import type { MutantGroup } from "./mutant.ts";

/** In the order of the table in docs/testing.md. */
export const MUTANT_GROUPS: readonly MutantGroup[] = [
  syncMutants,
  directorySyncMutants,
  truncationMutants,
  checksumMutants,
  markMutants,
  activeMutants,
  leftoversMutants,
  placeMutants,
  lengthMutants,
  memoryMapMutants,
  hintMutants,
  checkpointMutants,
  compactionMutants,
  handoverMutants,
  writeMutants,
  rotationMutants,
  openingMutants,
  indexMutants,
  sharingMutants,
  changesMutants,
  snapshotMutants,
  newStoreMutants,
  toolsMutants,
  commandLineMutants,
];
