/** Packs the files of a release. The same files and time give the same bytes. */

import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { packTar } from "modern-tar";

const EXECUTABLE = 0o755;
const OTHER = 0o644;
/** In zip: made on Unix, so that the mode of a file counts. */
const ZIP_OS_UNIX = 3;
const REGULAR_FILE = 0o100000;

/** A file of an archive. */
export interface ArchivedFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  executable?: boolean;
}

/** A gzipped tar archive of files in one directory. */
export async function tarGz(
  directory: string,
  files: readonly ArchivedFile[],
  date: Date,
): Promise<Uint8Array> {
  const owner = { uid: 0, gid: 0, uname: "root", gname: "root", mtime: date };
  const archive = await packTar([
    { header: { name: `${directory}/`, type: "directory", size: 0, mode: EXECUTABLE, ...owner } },
    ...files.map(({ name, bytes, executable }) => ({
      header: {
        name: `${directory}/${name}`,
        size: bytes.length,
        mode: executable ? EXECUTABLE : OTHER,
        ...owner,
      },
      body: bytes,
    })),
  ]);
  return gzipSync(archive);
}

/** A zip archive of files in one directory. */
export function zip(directory: string, files: readonly ArchivedFile[], date: Date): Uint8Array {
  // Zip has no time zones, and the library writes the local time: this one reads as UTC anywhere.
  const mtime = new Date(
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  );
  return zipSync(Object.fromEntries(files.map(({ name, bytes, executable }) => {
    const attrs = ((REGULAR_FILE | (executable ? EXECUTABLE : OTHER)) << 16) >>> 0;
    return [`${directory}/${name}`, [bytes, { mtime, os: ZIP_OS_UNIX, attrs }]];
  })));
}
