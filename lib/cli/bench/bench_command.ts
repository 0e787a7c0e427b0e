/** What `cairn bench` does: opens what is to be measured, shows figures, and clears up behind it. */

import { availableParallelism } from "node:os";
import process from "node:process";
import { systemClock } from "../../clock.ts";
import { buildInfo } from "../build_info.ts";
import { CliError } from "../cli_error.ts";
import type { BenchOptions } from "../commands/bench.ts";
import { type Output, writeFully } from "../descriptor.ts";
import {
  BATCH_BYTES_DEFAULT,
  BATCH_MILLIS_DEFAULT,
  durabilityNamed,
} from "../durability_option.ts";
import { reportOf } from "../error_report.ts";
import { Interruption } from "../interruption.ts";
import type { givenTarget } from "../target/choose_target.ts";
import { escapeControls } from "../terminal_text.ts";
import { formatBytes, formatCount } from "../text_format.ts";
import { Progress } from "../transfer/progress.ts";
import { BenchKeys } from "./bench_keys.ts";
import { documentOf, tableOf } from "./bench_report.ts";
import { BenchRun } from "./bench_run.ts";
import { type BenchTarget, DirectoryBench, ScratchBench, ServerBench } from "./bench_target.ts";
import { assertRoom, isInMemory, scratchParent } from "./scratch_directory.ts";

type GivenTarget = ReturnType<typeof givenTarget>;

const STDERR = 2;
/** What every key of a benchmark begins with in a store of somebody's; its own number follows. */
const PREFIX = "cairn-bench:";
/** The same where nobody else has keys, so that they have 16 bytes. */
const SCRATCH_PREFIX = "key:";
/** A record has so much beside its value, and compaction needs room for what it rewrites. */
const RECORD_BYTES = 100;
const ROOM_FACTOR = 3;

/** Measures, and prints what came of it. */
export async function runBench(
  options: BenchOptions,
  given: GivenTarget,
  stdout: Output,
): Promise<void> {
  using interruption = new Interruption();
  await using target = await open(options, given);
  const prefix = given === undefined
    ? SCRATCH_PREFIX
    : `${PREFIX}${process.pid}-${systemClock.now().toString(36)}:`;
  if (given !== undefined) await tellOfLeftovers(target);
  const keys = new BenchKeys(prefix, options.keys, options.valueBytes);
  let progress: Progress | undefined;
  const total = options.workload.length;
  const run = new BenchRun(target, keys, {
    workloads: options.workload,
    clients: options.clients,
    ops: options.ops,
    durationMs: options.seconds * 1000,
    rate: options.rate,
  }, {
    onBegin(name, position) {
      progress?.clear();
      progress = new Progress(`${position}/${total} ${name}`, "ops");
    },
    onTurn(share, ops) {
      interruption.check();
      progress?.update(share, ops);
    },
  });
  let error: unknown;
  try {
    const policy = await policyOf(target, keys, run);
    if (!options.json) {
      for (const line of headOf(options, given, target, keys, policy)) {
        stdout.writeLine(escapeControls(line));
      }
      stdout.writeLine("");
      stdout.flush();
    }
    await run.run();
    progress?.clear();
    if (options.json) {
      stdout.writeLine(JSON.stringify(documentOfAll(options, target, keys, policy, run)));
    }
  } catch (thrown) {
    error = thrown;
  }
  progress?.clear();
  // What was measured before an error is right all the same.
  if (!options.json && run.results.length > 0) stdout.writeLine(tableOf(run.results));
  try {
    stdout.flush();
  } catch (thrown) {
    error ??= thrown;
  }
  await clearUp(run, given, prefix, error);
  if (error !== undefined) throw error;
}

function open(options: BenchOptions, given: GivenTarget): Promise<BenchTarget> {
  const { durability = "immediate", keys, valueBytes } = options;
  const policy = durabilityNamed(durability);
  const bytes = keys * (valueBytes + RECORD_BYTES) * ROOM_FACTOR;
  if (given === undefined) {
    assertRoom(scratchParent(), bytes);
    return ScratchBench.make(policy);
  }
  if ("server" in given) return openServer(given.server, options);
  assertRoom(given.directory, bytes);
  return DirectoryBench.open(given.directory, policy);
}

async function openServer(url: URL, options: BenchOptions): Promise<BenchTarget> {
  const { ServerTarget } = await import("../target/server_target.ts");
  return new ServerBench(ServerTarget.of(url, options));
}

/** Keys that a benchmark has left behind that was killed: they are nobody's, but not ours either. */
async function tellOfLeftovers(target: BenchTarget): Promise<void> {
  if (await target.scan(PREFIX, PREFIX, 1) === 0) return;
  const line =
    `cairn: there are keys that begin with ${PREFIX} already: another benchmark is under ` +
    `way, or one was killed; if so, remove them with 'cairn list --prefix ${PREFIX} | xargs -d ` +
    `"\\n" cairn del'\n`;
  writeFully(STDERR, new TextEncoder().encode(line));
}

/** When writes are durable, as the target was opened, or as a server is seen to do it. */
async function policyOf(target: BenchTarget, keys: BenchKeys, run: BenchRun): Promise<string> {
  const isDurable = await run.probe(() => target.isDurable(keys.spare(0)));
  return isDurable ? "immediate" : "batch";
}

function headOf(
  { keys: keyCount, valueBytes, clients, rate }: BenchOptions,
  given: GivenTarget,
  target: BenchTarget,
  keys: BenchKeys,
  policy: string,
): string[] {
  const { version, runtime, platform } = buildInfo();
  const inFlight = target.readsAtOnce
    ? `${formatCount(clients)} writes in flight, reads one after another`
    : `${formatCount(clients)} requests in flight`;
  const durable = policy === "immediate"
    ? "every write is durable when it is answered (immediate)"
    : given !== undefined && "server" in given
    ? "writes are answered before they are durable (batch)"
    : `after ${formatBytes(BATCH_BYTES_DEFAULT)} or ${BATCH_MILLIS_DEFAULT} ms, and writes are ` +
      "answered before (batch)";
  const directory = given === undefined
    ? scratchParent()
    : "directory" in given
    ? given.directory
    : undefined;
  const inMemory = directory !== undefined && isInMemory(directory)
    ? "; but this file system is in memory, where that costs nothing: name a disk with TMPDIR"
    : "";
  return [
    `cairn ${version} (${runtime}, ${platform}), ${availableParallelism()} processors`,
    `target:  ${target.name}`,
    `load:    ${formatCount(keyCount)} keys of ${keys.keyBytes} bytes, values of ` +
    `${formatBytes(valueBytes)}, ${inFlight}`,
    `fsync:   ${durable}${inMemory}`,
    rate === undefined
      ? "latency: service time, from sending to the answer"
      : `latency: from when a request was due, at ${formatCount(rate)} a second`,
  ];
}

function documentOfAll(
  { keys: keyCount, valueBytes, clients, rate }: BenchOptions,
  target: BenchTarget,
  keys: BenchKeys,
  durability: string,
  run: BenchRun,
) {
  return {
    ...buildInfo(),
    processors: availableParallelism(),
    target: target.name,
    durability,
    keys: keyCount,
    keyBytes: keys.keyBytes,
    valueBytes,
    clients,
    rate,
    workloads: run.results.map(documentOf),
  };
}

/** Removes the keys. A scratch directory goes as a whole. */
async function clearUp(
  run: BenchRun,
  given: GivenTarget,
  prefix: string,
  error: unknown,
): Promise<void> {
  if (given === undefined) return;
  try {
    await run.clear(() => {});
  } catch (cause) {
    const report = reportOf(error ?? cause);
    throw new CliError(
      report.exitCode,
      `${
        report.line ?? "interrupted"
      }; keys that begin with ${prefix} are left: remove them with ` +
        `'cairn list --prefix ${prefix} | xargs -d "\\n" cairn del'`,
      { cause },
    );
  }
}
