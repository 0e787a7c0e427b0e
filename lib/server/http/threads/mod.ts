/** The HTTP service on several threads; for the command line, and not for other programs. */

export { shareResponseMemory } from "../response_memory.ts";
export type { HttpThreadPort } from "./messages.ts";
export { ReadingFront, type ReadingFrontOptions } from "./reading_front.ts";
export { RequestCount } from "./request_count.ts";
export { hostRequests } from "./request_host.ts";
