import { getLogger } from "@logtape/logtape";
import { type Command, Option } from "commander";
import type { Durability, KvStore } from "../../mod.ts";
import type { Listener } from "../../server/http/mod.ts";
import { integerBetween } from "../argument.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import type { GlobalOptions } from "../global_options.ts";
import { type HostPort, parseLoopbackHostPort } from "../host_port.ts";
import { openOrCreate } from "../open_store.ts";
import { stopRequested } from "../stop_signals.ts";
import { systemReason } from "../system_reason.ts";

interface ServeOptions extends GlobalOptions {
  http: HostPort;
  durability: "immediate" | "batch";
  batchBytes?: number;
  batchMillis?: number;
}

const HTTP_DEFAULT = "127.0.0.1:8620";
const BATCH_BYTES_DEFAULT = 1 << 20;
const BATCH_MILLIS_DEFAULT = 100;
/** How long requests under way may take after a signal. */
const GRACE_MS = 10_000;

/** `cairn serve` */
export function addServe(program: Command, stdout: Output): void {
  program.command("serve")
    .description("serve the store over HTTP, to this machine only")
    .addOption(
      new Option("--http <host:port>", "where to listen; port 0 takes a free one")
        .argParser(parseLoopbackHostPort)
        .default(parseLoopbackHostPort(HTTP_DEFAULT), HTTP_DEFAULT),
    )
    .addOption(
      new Option("--durability <policy>", "fsync before every answer, or now and then")
        .choices(["immediate", "batch"]).default("immediate"),
    )
    .option(
      "--batch-bytes <n>",
      `with batch: fsync after so many bytes (default: ${BATCH_BYTES_DEFAULT})`,
      integerBetween(4096, 1 << 30),
    )
    .option(
      "--batch-millis <n>",
      `with batch: or after so many milliseconds (default: ${BATCH_MILLIS_DEFAULT})`,
      integerBetween(1, 3_600_000),
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ServeOptions>();
      await using store = await openOrCreate(options.db, { durability: durabilityOf(options) });
      const listener = await startHttp(store, options.http);
      const stop = stopRequested();
      stdout.writeLine(`Cairn serves ${options.db} on ${listener.url}`);
      stdout.flush();

      const signal = await stop;
      const logger = getLogger(["cairn"]);
      logger.info("Stopping on {signal}", { signal });
      await listener.close(GRACE_MS);
      await store.flush();
      await store.close();
    });
}

function durabilityOf({ durability, batchBytes, batchMillis }: ServeOptions): Durability {
  if (durability === "batch") {
    return {
      bytes: batchBytes ?? BATCH_BYTES_DEFAULT,
      millis: batchMillis ?? BATCH_MILLIS_DEFAULT,
    };
  }
  if (batchBytes !== undefined || batchMillis !== undefined) {
    throw new CliError(
      EXIT_CODE.usage,
      "--batch-bytes and --batch-millis go with --durability batch",
    );
  }
  return "immediate";
}

async function startHttp(store: KvStore, { hostname, port }: HostPort): Promise<Listener> {
  // Loaded here, so that the other commands start without it.
  const { createApp, listen, loopbackAuthorities } = await import("../../server/http/mod.ts");
  try {
    // Nothing can arrive before this function is through, so the port may be known later.
    const listener = listen({ hostname, port, fetch: (request) => app.fetch(request) });
    const app = createApp(store, { authorities: loopbackAuthorities(hostname, listener.port) });
    return listener;
  } catch (error) {
    throw new CliError(
      EXIT_CODE.connection,
      `cannot listen on ${hostname}:${port}: ${systemReason(error)}; choose another with --http`,
      { cause: error },
    );
  }
}
