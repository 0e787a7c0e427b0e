/** `GET /openapi.json`, `GET /docs`: what the service can do, from the routes themselves. */

import type { Route, Service } from "../route.ts";

/** Loaded when first asked for: most services never are. */
async function documentOf({ routes }: Service) {
  const { openApiDocument } = await import("../openapi_document.ts");
  return openApiDocument(routes);
}

/** The description of the service. */
export const descriptionRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/openapi.json",
    operationId: "openapi",
    summary: "This service as an OpenAPI 3.1 document",
    tag: "service",
    responses: {
      200: { description: "The document.", content: [{ type: "application/json" }] },
    },
    async handle(service: Service): Promise<Response> {
      return Response.json(await documentOf(service), { headers: { "cache-control": "no-cache" } });
    },
  },
  {
    method: "GET",
    path: "/docs",
    operationId: "docs",
    summary: "This service as a page to read",
    description: "One page without scripts, which fetches nothing.",
    tag: "service",
    responses: { 200: { description: "The page.", content: [{ type: "text/html" }] } },
    async handle(service: Service): Promise<Response> {
      const { docsPage, DOCS_HEADERS } = await import("../docs_page.ts");
      return new Response(docsPage(await documentOf(service)), { headers: DOCS_HEADERS });
    },
  },
];
