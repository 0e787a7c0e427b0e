/** All commands. */

import type { Command } from "./command.ts";
import { CommandTable } from "./command_lookup.ts";
import { CLIENT_COMMAND } from "./commands/client.ts";
import { COMMAND_COMMAND } from "./commands/command.ts";
import { CONFIG_COMMAND } from "./commands/config.ts";
import { CONNECTION_COMMANDS } from "./commands/connection.ts";
import { COUNTER_COMMANDS } from "./commands/counters.ts";
import { EXPIRY_COMMANDS } from "./commands/expiry.ts";
import { FLUSH_COMMANDS } from "./commands/flush.ts";
import { KEY_COMMANDS } from "./commands/keys.ts";
import { RANGE_COMMANDS } from "./commands/ranges.ts";
import { SERVER_COMMANDS } from "./commands/server.ts";
import { STRING_COMMANDS } from "./commands/strings.ts";
import { SWEEP_COMMANDS } from "./commands/sweeps.ts";
import { TRANSACTION_COMMANDS } from "./commands/transactions.ts";

const COMMANDS: readonly Command[] = [
  ...STRING_COMMANDS,
  ...RANGE_COMMANDS,
  ...COUNTER_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...SWEEP_COMMANDS,
  ...FLUSH_COMMANDS,
  ...TRANSACTION_COMMANDS,
  ...CONNECTION_COMMANDS,
  CLIENT_COMMAND,
  COMMAND_COMMAND,
  CONFIG_COMMAND,
  ...SERVER_COMMANDS,
];

/** The table in which sessions look. */
export const COMMAND_TABLE: CommandTable = new CommandTable(COMMANDS);
