/** Who holds a store's lock, where the operating system tells. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { formatHostPort, HTTP_ADDRESS_DEFAULT, isUnspecified, parseHostPort } from "./host_port.ts";

/** Every lock that somebody holds, on Linux. */
const LOCKS = "/proc/locks";

/** A process that has a store open. */
export interface LockHolder {
  pid: number;
  /** Name of the program, where the system tells. */
  name?: string;
  /** Where it can be reached, if it is a server and says so. */
  url?: string;
}

/** Undefined where it cannot be known. */
export function lockHolder(directory: string): LockHolder | undefined {
  if (!existsSync(LOCKS)) return notedHolder(directory);
  try {
    const { ino } = statSync(join(directory, "LOCK"), { bigint: true });
    // `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`
    for (const line of readFileSync(LOCKS, "utf8").split("\n")) {
      const match = / (?:FLOCK|POSIX|OFDLCK) .* (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
      if (match?.[1] === undefined || match[2] !== String(ino)) continue;
      const name = readFileSync(`/proc/${match[1]}/comm`, "utf8").trim();
      const url = serverUrl(readFileSync(`/proc/${match[1]}/cmdline`, "utf8").split("\0"));
      return { pid: Number(match[1]), name, ...(url !== undefined && { url }) };
    }
  } catch {
    // The process is another user's: the message does without.
  }
  return undefined;
}

/** What the holder has noted itself. The system knows better, where it tells. */
function notedHolder(directory: string): LockHolder | undefined {
  try {
    const pid = /^process (\d+)\n$/.exec(readFileSync(join(directory, "LOCK"), "utf8"))?.[1];
    return pid === undefined ? undefined : { pid: Number(pid) };
  } catch {
    return undefined;
  }
}

/** The address that the arguments of `cairn serve` make it listen on, if they tell. */
function serverUrl(args: readonly string[]): string | undefined {
  if (!args.includes("serve")) return undefined;
  // Given twice, the last one counts.
  const at = args.findLastIndex((arg) => /^--http(?:=|$)/.test(arg));
  const given = at < 0
    ? HTTP_ADDRESS_DEFAULT
    : args[at]!.includes("=")
    ? args[at]!.slice("--http=".length)
    : args[at + 1]!;
  const { hostname, port } = parseHostPort(given);
  if (port === 0) return undefined;
  const scheme = args.some((arg) => arg.startsWith("--tls-cert")) ? "https" : "http";
  const reachable = isUnspecified(hostname) ? "127.0.0.1" : hostname;
  return `${scheme}://${formatHostPort({ hostname: reachable, port })}`;
}
