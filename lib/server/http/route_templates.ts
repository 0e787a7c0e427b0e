/** The route that a request is for, as a name with places for what varies: never with a key in it. */

import { KEY_ROUTE, rawPath } from "./request_target.ts";

/** Of paths that no route has. */
export const UNMATCHED = "unmatched";

/** Finds the template of a path, of which there are few, whatever is asked for. */
export class RouteTemplates {
  /** All templates, {@link UNMATCHED} last. */
  readonly all: readonly string[];

  #exact = new Map<string, number>();
  #prefixes: { prefix: string; index: number }[] = [];

  /** `patterns` are paths as Hono has them: `/healthz`, `/v1/kv/*`, `/v1/things/:name`. */
  constructor(patterns: readonly string[]) {
    const all: string[] = [];
    for (const pattern of new Set(patterns)) {
      const variable = pattern.search(/[*:]/);
      const prefix = variable === -1 ? pattern : pattern.slice(0, variable);
      if (prefix === "" || prefix === "/" && variable !== -1) continue; // handlers of everything
      const index = all.push(templateOf(pattern)) - 1;
      if (variable === -1) this.#exact.set(pattern, index);
      else this.#prefixes.push({ prefix, index });
    }
    this.#prefixes.sort((one, other) => other.prefix.length - one.prefix.length);
    this.all = [...all, UNMATCHED];
  }

  /** The index in {@link all} of the template of a request. */
  indexOf(request: Request): number {
    const { url } = request;
    const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
    for (const { prefix, index } of this.#prefixes) {
      if (url.startsWith(prefix, start)) return index;
    }
    return this.#exact.get(rawPath(request)) ?? this.all.length - 1;
  }
}

function templateOf(pattern: string): string {
  if (pattern === `${KEY_ROUTE}*`) return `${KEY_ROUTE}{key}`;
  return pattern.replace(/:(\w+)[^/]*/g, "{$1}").replaceAll("*", "{rest}");
}
