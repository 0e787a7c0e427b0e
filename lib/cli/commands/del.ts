import type { Command } from "commander";
import { KvError } from "../../errors.ts";
import type { KvStore } from "../../mod.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { openForChange } from "../open_store.ts";
import { quoted } from "../terminal_text.ts";

/** `cairn del KEY...` */
export function addDel(program: Command, stdout: Output): void {
  program.command("del")
    .description("delete keys; exits with 1 if one of them did not exist")
    .argument("<key...>")
    .action(async (keys: string[], _options, command: Command) => {
      const { db, json } = command.optsWithGlobals<GlobalOptions>();
      await using store = await openForChange(db);
      // All at once, so that one fsync covers many.
      const outcomes = await Promise.all([...new Set(keys)].map((key) => deleteOne(store, key)));
      const missing = outcomes.filter((outcome) => outcome.version === undefined)
        .map((outcome) => outcome.key);
      if (json) {
        const deleted = outcomes.filter((outcome) => outcome.version !== undefined);
        stdout.writeLine(JSON.stringify({ deleted, missing }));
      }
      stdout.flush();
      if (missing.length === 0) return;
      const others = missing.length === outcomes.length ? "" : "; the others are deleted";
      const names = missing.map(quoted).join(", ");
      throw new CliError(
        EXIT_CODE.notFound,
        `there is no key ${names} in ${db}${others}`,
      );
    });
}

async function deleteOne(store: KvStore, key: string): Promise<{ key: string; version?: number }> {
  try {
    return { key, version: (await store.delete(key)).version };
  } catch (error) {
    if (error instanceof KvError && error.code === "NotFound") return { key };
    throw error;
  }
}
