import { type Command, InvalidArgumentError, Option } from "commander";
import { VALUE_BYTES_MAX_DEFAULT } from "../../limits.ts";
import { integerBetween } from "../argument.ts";
import { type Workload, WORKLOADS } from "../bench/workloads.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { DURABILITY_NAMES, type DurabilityName } from "../durability_option.ts";
import { EXIT_CODE } from "../exit_code.ts";
import { nearestOf } from "../nearest_command.ts";
import { addTargetOptions, givenTarget, type TargetOptions } from "../target/choose_target.ts";
import { quoted } from "../terminal_text.ts";

/** What the command line says of a benchmark. */
export interface BenchOptions extends TargetOptions {
  workload: readonly Workload[];
  keys: number;
  valueBytes: number;
  clients: number;
  seconds: number;
  ops?: number;
  rate?: number;
  durability?: DurabilityName;
}

const KEYS_MAX = 10_000_000;
/** Bun sends no more requests at once. */
const CLIENTS_MAX = 256;
const COUNT_MAX = 1_000_000_000;
const SECONDS_MAX = 86_400;

/** `cairn bench` */
export function addBench(program: Command, stdout: Output): void {
  addTargetOptions(program.command("bench"))
    .description("measure this machine, or a server: rates and latencies of named workloads")
    .addOption(
      new Option("--workload <names>", "which, with commas between, in this order")
        .argParser(parseWorkloads).default(WORKLOADS, "all"),
    )
    .option("--keys <n>", "different keys", integerBetween(1, KEYS_MAX), 100_000)
    .option(
      "--value-bytes <n>",
      "length of a value",
      integerBetween(0, VALUE_BYTES_MAX_DEFAULT),
      100,
    )
    .option(
      "--clients <n>",
      "writes in flight, and of a server reads too",
      integerBetween(1, CLIENTS_MAX),
      64,
    )
    .option("--seconds <n>", "for each workload", integerBetween(1, SECONDS_MAX), 3)
    .addOption(
      new Option("--ops <n>", "so many operations of each workload, however long that takes")
        .argParser(integerBetween(1, COUNT_MAX)).conflicts("seconds"),
    )
    .option(
      "--rate <n>",
      "so many operations a second, instead of as many as there can be",
      integerBetween(1, COUNT_MAX),
    )
    .addOption(
      new Option(
        "--durability <policy>",
        "of a directory: immediate or batch, as 'cairn serve' has",
      )
        .choices(DURABILITY_NAMES),
    )
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<BenchOptions>();
      const given = givenTarget(command);
      if (given !== undefined && "server" in given && options.durability !== undefined) {
        throw new CliError(
          EXIT_CODE.usage,
          "a server decides by itself when it syncs: leave --durability out, and give it to " +
            "'cairn serve'",
        );
      }
      // Loaded here, so that the other commands start without it.
      const { runBench } = await import("../bench/bench_command.ts");
      await runBench(options, given, stdout);
    });
}

/** Names as they are listed, or as db_bench writes them: `fillseq`. */
function parseWorkloads(text: string): Workload[] {
  return text.split(",").map((given) => {
    const found = WORKLOADS.find(({ name }) => plain(name) === plain(given));
    if (found !== undefined) return found;
    const nearest = nearestOf(given, WORKLOADS.map(({ name }) => name));
    throw new InvalidArgumentError(
      `There is no workload ${quoted(given)}${nearest ? ` (Did you mean ${nearest}?)` : ""}; ` +
        `there are ${WORKLOADS.map(({ name }) => name).join(", ")}.`,
    );
  });
}

function plain(name: string): string {
  return name.trim().toLowerCase().replaceAll(/[-_]/g, "");
}

const NAME_WIDTH = Math.max(...WORKLOADS.map(({ name }) => name.length)) + 2;

const HELP_TAIL = `
Workloads:
${WORKLOADS.map(({ name, what }) => `  ${name.padEnd(NAME_WIDTH)}${what}`).join("\n")}

Without --db or --url it makes a directory in TMPDIR and removes it again; CAIRN_DB and
CAIRN_URL do not count. A store that is named is only written to below a prefix of its own,
cairn-bench: and a number, and these keys are removed at the end, after Ctrl-C too. What they
took in the log stays until it is compacted, and who follows the changes sees them.

Each workload is warmed up first. Latencies are service times, from sending a request to its
answer: a client sends nothing while it waits, so that a stall counts once for each client and
not for all that would have come meanwhile (coordinated omission). With --rate, requests are
due at equal distances and latencies count from then on, the stall included for all that it
held up. Of a directory, reads are done one after another: they are answered at once. Of a
server, this process is a part of what is measured.

Examples:
  cairn bench
  cairn bench --workload fill-random,read-random --keys 1000000 --durability batch
  cairn bench --url http://127.0.0.1:8620 --workload mixed --seconds 30 --rate 5000
  cairn bench --json > figures.json`;
