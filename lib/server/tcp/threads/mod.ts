/** The TCP service on several threads; for the command line, and not for other programs. */

export { freePort } from "../listen.ts";
export type { ThreadPort } from "./frames.ts";
export { ReadingServer, type ReadingServerOptions } from "./reading_server.ts";
