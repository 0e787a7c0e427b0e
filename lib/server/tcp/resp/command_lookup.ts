/** How a command is found by the name that a client sends. */

import { isWord, shown, SHOWN_BYTES_MAX } from "./arguments.ts";
import type { Command } from "./command.ts";

const SLOTS = 256;

/** Commands by name, in whichever case; looking one up allocates nothing. */
export class CommandTable {
  /** Every command, in the order in which they are shown. */
  readonly all: readonly Command[];
  readonly #nameLengthMax: number;
  /** Commands by a hash of their names. */
  readonly #slots: readonly Command[][];

  constructor(commands: readonly Command[]) {
    this.all = commands;
    this.#nameLengthMax = Math.max(...commands.map(({ name }) => name.length));
    this.#slots = Array.from({ length: SLOTS }, () => []);
    const encoder = new TextEncoder();
    for (const command of commands) {
      this.#slots[slotOf(encoder.encode(command.name))]!.push(command);
    }
  }

  /** The command by this name; undefined if there is none. */
  find(name: Uint8Array): Command | undefined {
    if (name.length === 0 || name.length > this.#nameLengthMax) return undefined;
    for (const command of this.#slots[slotOf(name)]!) {
      if (isWord(name, command.name)) return command;
    }
    return undefined;
  }
}

/** Of length, first and last letter, whatever their case. */
function slotOf(name: Uint8Array): number {
  const first = name[0]! & 0x1f;
  const last = name[name.length - 1]! & 0x1f;
  return (name.length * 37 + first * 11 + last * 83) & (SLOTS - 1);
}

/** What Redis says to a command that it does not know. */
export function unknownCommand(args: readonly Uint8Array[]): string {
  let rest = "";
  for (let at = 1; at < args.length && rest.length < SHOWN_BYTES_MAX; at++) {
    rest += `'${shown(args[at]!, SHOWN_BYTES_MAX - rest.length)}' `;
  }
  return `ERR unknown command '${shown(args[0]!)}', with args beginning with: ${rest}`;
}
