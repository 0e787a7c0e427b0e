/** The file system that is used when none is given. Nothing else chooses one. */

import type { FileSystem } from "./file_system.ts";
import { nodeFileSystem } from "./node_file_system.ts";

/** The file system of the machine Cairn runs on. */
export const defaultFileSystem: FileSystem = nodeFileSystem;
