/** How long requests waited because they were asked to, which does not make them slow. */

const waited = new WeakMap<Request, number>();

/** Notes how long a request waited, in milliseconds. */
export function noteWaiting(request: Request, durationMs: number): void {
  waited.set(request, durationMs);
}

/** How long a request waited, in milliseconds. */
export function waitedMs(request: Request): number {
  return waited.get(request) ?? 0;
}
