/** Commands with the replies that Redis 7.0 gives, as text. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DIRECTORY = fileURLToPath(new URL("transcripts/", import.meta.url));

/** One command, and what it is answered with. */
export interface Exchange {
  command: string;
  reply: string;
}

/** The transcripts there are, by name; each begins with an empty database and a new connection. */
export const TRANSCRIPTS: readonly (readonly [name: string, exchanges: Exchange[]])[] = readdirSync(
  DIRECTORY,
).sort().map((file) => [file.replace(/\.txt$/, ""), parse(readFileSync(DIRECTORY + file, "utf8"))]);

/** Lines that begin with `> ` are commands, and the line below each is its reply. */
function parse(text: string): Exchange[] {
  const lines = text.trimEnd().split("\n");
  const exchanges: Exchange[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    exchanges.push({ command: lines[at]!.slice(2), reply: lines[at + 1]! });
  }
  return exchanges;
}

/** What differs between the replies of a transcript and those that `send` gets. */
export async function differences(
  exchanges: readonly Exchange[],
  send: (command: string) => Promise<string>,
): Promise<string> {
  const found: string[] = [];
  for (const { command, reply } of exchanges) {
    const given = await send(command);
    if (given !== reply) found.push(`> ${command}\n  expected ${reply}\n  given    ${given}`);
  }
  return found.join("\n");
}
