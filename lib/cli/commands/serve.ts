import process from "node:process";
import { getLogger } from "@logtape/logtape";
import { type Command, Option } from "commander";
import {
  SEGMENT_BYTES_MAX_DEFAULT,
  SEGMENT_BYTES_MAX_LIMIT,
  SEGMENT_BYTES_MIN,
} from "../../limits.ts";
import type { Durability } from "../../mod.ts";
import { integerBetween } from "../argument.ts";
import { buildInfo } from "../build_info.ts";
import { CliError } from "../cli_error.ts";
import type { Output } from "../descriptor.ts";
import { EXIT_CODE } from "../exit_code.ts";
import {
  BATCH_BYTES_DEFAULT,
  BATCH_MILLIS_DEFAULT,
  DURABILITY_NAMES,
  type DurabilityName,
} from "../durability_option.ts";
import { checkExposure } from "../exposure.ts";
import type { GlobalOptions } from "../global_options.ts";
import {
  type HostPort,
  HTTP_ADDRESS_DEFAULT,
  parseHostName,
  parseHostPort,
  TCP_ADDRESS_DEFAULT,
} from "../host_port.ts";
import { HttpServer } from "../http_server.ts";
import { openOrCreate } from "../open_store.ts";
import { renew, warnOfExpiry } from "../serve_renewal.ts";
import { loadTls, type TlsSources } from "../serve_tls.ts";
import { loadTokens, takeTokenVariables, type TokenSources } from "../serve_tokens.ts";
import { stopRequested } from "../stop_signals.ts";
import { startTcpServer } from "../tcp_server.ts";
import { checkThreads, ServeThreads, THREADS_MAX } from "../threads/serve_threads.ts";

interface ServeOptions extends GlobalOptions, TokenSources, TlsSources {
  http: HostPort;
  tcp: HostPort | false;
  allowFlush?: true;
  hostName: string[];
  insecure?: true;
  durability: DurabilityName;
  batchBytes?: number;
  batchMillis?: number;
  segmentBytes: number;
  memoryMap: boolean;
  slowRequestMillis: number;
  retainChanges: number;
  threads: number;
}

const SLOW_REQUEST_MILLIS_DEFAULT = 1000;
const RETAIN_CHANGES_DEFAULT = 100_000;
const RETAIN_CHANGES_MAX = 1_000_000_000;
/** How long requests under way may take after a signal. */
const GRACE_MS = 10_000;

/** `cairn serve` */
export function addServe(program: Command, stdout: Output): void {
  program.command("serve")
    .description("serve the store over HTTP and TCP, to this machine only unless told otherwise")
    .addOption(
      new Option("--http <host:port>", "where to listen; port 0 takes a free one")
        .argParser(parseHostPort)
        .default(parseHostPort(HTTP_ADDRESS_DEFAULT), HTTP_ADDRESS_DEFAULT),
    )
    .addOption(
      new Option("--tcp <host:port>", "the same for the text protocol and clients of Redis")
        .argParser(parseHostPort)
        .default(parseHostPort(TCP_ADDRESS_DEFAULT), TCP_ADDRESS_DEFAULT),
    )
    .option("--no-tcp", "serve HTTP only")
    .option("--allow-flush", "let FLUSHALL delete everything even where a token is needed")
    .addOption(
      new Option(
        "--host-name <name>",
        "a further name, or name:port, under which clients reach it; repeatable",
      )
        .argParser((text, names: string[]) => [...names, parseHostName(text)])
        .default([], "none"),
    )
    .option("--token-file <file>", "token that clients must send (env: CAIRN_TOKEN)")
    .option("--read-token-file <file>", "token that allows reading (env: CAIRN_READ_TOKEN)")
    .option("--tls-cert <file>", "certificate and its chain, PEM: makes it HTTPS, and TCP with TLS")
    .option("--tls-key <file>", "private key of the certificate, PEM")
    .option("--insecure", "listen for other machines without a token or without TLS")
    .addOption(
      new Option("--durability <policy>", "fsync before every answer, or now and then")
        .choices(DURABILITY_NAMES).default("immediate"),
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
    .option(
      "--segment-bytes <n>",
      "begin a new file of the log after so many bytes",
      integerBetween(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX_LIMIT),
      SEGMENT_BYTES_MAX_DEFAULT,
    )
    .option("--no-memory-map", "read by system calls, which report what a failing disk cannot read")
    .option(
      "--retain-changes <n>",
      "keep the deletes among so many newest changes, for followers that come back",
      integerBetween(0, RETAIN_CHANGES_MAX),
      RETAIN_CHANGES_DEFAULT,
    )
    .option(
      "--threads <n>",
      "threads that take connections and read, on Linux; one of them writes",
      integerBetween(1, THREADS_MAX),
      1,
    )
    .option(
      "--slow-request-millis <n>",
      "warn of requests that take so many milliseconds or longer",
      integerBetween(1, 3_600_000),
      SLOW_REQUEST_MILLIS_DEFAULT,
    )
    .addHelpText("after", HELP_TAIL)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ServeOptions>();
      await serve(options, stdout);
    });
}

const HELP_TAIL = `
Other machines are served only with a token and TLS, or with --insecure.
SIGTERM and SIGINT finish what is under way and stop; a second one stops at once.
SIGHUP reads the files of tokens, certificate and key again.
One line on standard output says where it listens; with --json it is for programs.

Examples:
  cairn serve --db shop
  cairn serve --http 127.0.0.1:8080 --no-tcp --durability batch
  openssl rand -hex 32 > token && chmod 600 token
  cairn serve --http 0.0.0.0:8620 --token-file token --tls-cert cert.pem --tls-key key.pem`;

async function serve(options: ServeOptions, stdout: Output): Promise<void> {
  const logger = getLogger(["cairn"]);
  checkThreads(options.threads);
  const variables = takeTokenVariables();
  const tokens = await loadTokens(options, variables);
  const tls = await loadTls(options);
  const { http, tcp, hostName: hostNames, insecure = false } = options;
  if (tcp === false && options.allowFlush) {
    throw new CliError(
      EXIT_CODE.usage,
      "--allow-flush is about clients of Redis, and with --no-tcp there are none: leave one out",
    );
  }
  const protection = { token: tokens !== undefined, tls: tls !== undefined, insecure };
  const [missing] = (tcp === false ? [http] : [http, tcp])
    .map((address) => checkExposure(address, protection)).filter((each) => each !== undefined);
  if (missing !== undefined) {
    logger.warn("Other machines can reach this server, without {missing}", { missing });
  }

  // Loaded here, so that the other commands start without it.
  const { AccessControl, Telemetry } = await import("../../server/http/mod.ts");
  const { RequestCount, shareResponseMemory } = await import("../../server/http/threads/mod.ts");
  const access = tokens === undefined ? undefined : new AccessControl(tokens);
  if (tls !== undefined) warnOfExpiry(tls);
  const telemetry = new Telemetry({ program: buildInfo() });
  const { observer } = telemetry;
  await using store = await openOrCreate(options.db, {
    durability: durabilityOf(options),
    segmentBytesMax: options.segmentBytes,
    memoryMap: options.memoryMap,
    compaction: { retainedVersions: options.retainChanges },
    observer,
  });
  const isShared = options.threads > 1;
  const counts = RequestCount.memoryFor(options.threads);
  const count = isShared ? new RequestCount(counts, 0) : undefined;
  shareResponseMemory(1 / options.threads);
  const shared = { access, tls, telemetry, slowRequestMs: options.slowRequestMillis };
  const httpServer = await HttpServer.start(store, { ...shared, ...http, hostNames, count });
  const allowFlush = options.allowFlush ?? access === undefined;
  const isBatched = options.durability === "batch";
  const tcpServer = tcp === false
    ? undefined
    : await startTcpServer(store, { ...shared, ...tcp, allowFlush, isBatched, isShared });
  const threads = count === undefined ? undefined : await ServeThreads.start({
    store,
    httpServer,
    tcpServer: tcpServer?.server,
    telemetry,
    pendingRequests: () => count.known,
    threads: options.threads,
    counts,
    http: { ...http, port: httpServer.port, hostNames },
    tcp: tcp === false || tcpServer === undefined ? undefined : { ...tcp, port: tcpServer.port },
    tls: tls?.tls,
    tokens,
    slowRequestMs: options.slowRequestMillis,
    logLevel: options.logLevel ?? "info",
  });
  const stop = stopRequested(() => {
    renew({
      access,
      servers: tcpServer === undefined ? [httpServer] : [httpServer, tcpServer.server],
      threads,
      loadTokens: () => loadTokens(options, variables),
      loadTls: () => loadTls(options),
    });
  });
  const { version } = buildInfo();
  for (const url of [httpServer.url, ...(tcpServer === undefined ? [] : [tcpServer.url])]) {
    logger.info("Listening on {url}", { url, version, pid: process.pid });
  }
  const { db, json } = options;
  const addresses = { http: httpServer.url, ...(tcpServer && { tcp: tcpServer.url }) };
  stdout.writeLine(
    json
      ? JSON.stringify({ db, ...addresses })
      : `Cairn serves ${db} on ${Object.values(addresses).join(" and ")}`,
  );
  stdout.flush();

  const signal = await stop;
  logger.info("Stopping on {signal}", { signal });
  await Promise.all([
    httpServer.close(GRACE_MS),
    tcpServer?.server.close(GRACE_MS),
    threads?.close(GRACE_MS),
  ]);
  await threads?.terminate();
  await store.flush();
  await store.close();
  logger.info("Stopped", {});
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
