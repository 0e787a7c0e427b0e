/** Tells those who wait for it that writes became visible. */

/** A bell: whoever waits hears the next ring, once. */
export class VisibilityBell {
  #waiting = new Set<() => void>();

  /** Calls everybody who waits. On the path of every write, so it does nothing when nobody does. */
  ring(): void {
    if (this.#waiting.size === 0) return;
    const woken = this.#waiting;
    this.#waiting = new Set();
    for (const wake of woken) wake();
  }

  /** Calls `wake` at the next ring. It must not throw, nor do more than note that it was called. */
  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  /** Takes {@link wait} back. */
  leave(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
