/** Commands about transactions, which sessions run themselves. */

import { KEYS, type TransactionCommand } from "../command.ts";

function transactionCommand(
  step: TransactionCommand["step"],
  since: string,
  summary: string,
  rest: Partial<TransactionCommand> = {},
): TransactionCommand {
  return {
    name: step,
    kind: "transaction",
    step,
    arity: 1,
    flags: ["fast"],
    keys: KEYS.none,
    group: "transactions",
    since,
    summary,
    ...rest,
  };
}

/** All commands about transactions. */
export const TRANSACTION_COMMANDS: readonly TransactionCommand[] = [
  transactionCommand("multi", "1.2.0", "Begins a transaction."),
  transactionCommand("exec", "1.2.0", "Executes the commands of a transaction, all at once.", {
    flags: [],
  }),
  transactionCommand("discard", "2.0.0", "Forgets the commands of a transaction."),
  transactionCommand(
    "watch",
    "2.2.0",
    "Lets the next EXEC do nothing if one of the keys changes.",
    {
      arity: -2,
      keys: KEYS.all,
    },
  ),
  transactionCommand("unwatch", "2.2.0", "Forgets about all watched keys."),
];
