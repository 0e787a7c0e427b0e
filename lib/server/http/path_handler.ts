/** Puts the routes of one path together: method by method, with the answers that all paths have. */

import { withoutBody } from "./body_bytes.ts";
import type { Connection, Handler } from "./gate.ts";
import { HttpError } from "./problem.ts";
import type { Route, Service } from "./route.ts";

/** Groups routes by path, in the order of first mention. */
export function pathHandlers(
  routes: readonly Route[],
  service: Service,
): ReadonlyMap<string, Handler> {
  const paths = new Map<string, Route[]>();
  for (const route of routes) {
    const others = paths.get(route.path);
    if (others === undefined) paths.set(route.path, [route]);
    else others.push(route);
  }
  return new Map([...paths].map(([path, group]) => [path, pathHandler(group, service)]));
}

/** The methods that a path takes, as in the header Allow. */
export function allowOf(routes: readonly Route[]): string {
  const methods: string[] = routes.map(({ method }) => method);
  const get = methods.indexOf("GET");
  if (get !== -1 && !methods.includes("HEAD")) methods.splice(get + 1, 0, "HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

function pathHandler(routes: readonly Route[], service: Service): Handler {
  const byMethod = new Map<string, Route>(routes.map((route) => [route.method, route]));
  const allow = allowOf(routes);
  return (request, connection) => {
    const { method } = request;
    const route = byMethod.get(method);
    if (route !== undefined) {
      const { quietSecondsMax } = route;
      if (quietSecondsMax !== undefined) {
        (connection as Connection | undefined)?.timeout?.(request, quietSecondsMax);
      }
      return route.handle(service, request);
    }
    const get = byMethod.get("GET");
    if (method === "HEAD" && get !== undefined) return headOf(get, service, request);
    if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
    throw new HttpError("MethodNotAllowed", `Use one of ${allow}`, { allow }, { field: "method" });
  };
}

/** What GET would answer, without the body. */
async function headOf(route: Route, service: Service, request: Request): Promise<Response> {
  return await withoutBody(await route.handle(service, request));
}
