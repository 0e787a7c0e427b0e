/** Plain words for what the operating system refused. */

const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine has no such address",
  EBADF: "it is closed",
  EDQUOT: "the disk quota is used up",
  EEXIST: "there is something of that name already",
  EFBIG: "the file would be larger than allowed",
  EIO: "input/output error",
  EISDIR: "it is a directory",
  ELOOP: "its links lead in a circle, or to no end",
  EMFILE: "this process has too many files open",
  ENAMETOOLONG: "a name in it is too long",
  ENFILE: "the system has too many files open",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "part of the path is not a directory",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
};

/** Why a system call failed, for the end of a message. */
export function systemReason(error: unknown): string {
  const code = (error as { code?: string } | undefined)?.code;
  if (code !== undefined && REASONS[code] !== undefined) return REASONS[code];
  return error instanceof Error ? error.message : String(error);
}
