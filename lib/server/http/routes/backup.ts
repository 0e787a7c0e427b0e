/** `GET /v1/backup` */

import { queryOf } from "../request_target.ts";
import type { Route, Service } from "../route.ts";

const TAR_TYPE = "application/x-tar";

/** The whole store. */
export const backupRoutes: readonly Route[] = [{
  method: "GET",
  path: "/v1/backup",
  operationId: "backup",
  summary: "The whole store as a tar archive",
  description:
    "The store as of one version, with everything that was acknowledged before; reads, writes and " +
    "compaction go on meanwhile. Unpacked, it is a directory that can be opened, named after the " +
    "version. One that breaks off without its end is none, and what is unpacked of it does not open.",
  tag: "store",
  responses: {
    200: {
      description: "The archive.",
      content: [{ type: TAR_TYPE }],
      headers: {
        "cairn-version": "the version of the store that the archive holds",
        "content-disposition": "a name for the archive",
      },
    },
  },
  problems: {
    400: "There is a query parameter, and none is taken.",
    503: "There are as many backups under way as there may be.",
  },
  handle: sendBackup,
}];

async function sendBackup(
  { store, logger, telemetry, backups }: Service,
  request: Request,
): Promise<Response> {
  queryOf(request, []);
  const giveBack = backups.take();
  try {
    // Loaded when first asked for: most services never are.
    const { streamBackup } = await import("../backup_stream.ts");
    const snapshot = await store.snapshot();
    const directory = `cairn-backup-${snapshot.version}`;
    const body = streamBackup({
      snapshot,
      directory,
      modifiedAt: telemetry.clock.now(),
      logger,
      onEnd: giveBack,
    });
    return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
      headers: {
        "cache-control": "no-store",
        "cairn-version": String(snapshot.version),
        "content-disposition": `attachment; filename="${directory}.tar"`,
        "content-type": TAR_TYPE,
      },
    });
  } catch (error) {
    giveBack();
    throw error;
  }
}
