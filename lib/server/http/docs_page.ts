/** The OpenAPI document as a page to read: no scripts, nothing from elsewhere. */

import type { JsonObject, OpenApiDocument, Operation } from "./openapi_document.ts";

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--mark:#0a6e5c}
@media(prefers-color-scheme:dark){:root{--mark:#5fd0b8}}
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1rem}
h2{margin-top:2.5rem}
code,pre{font:.9em/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:var(--soft);padding:.7rem;border-radius:.4rem;white-space:pre-wrap}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:.5rem .8rem}
summary{cursor:pointer}
summary b{display:inline-block;min-width:4.5rem;color:var(--mark)}
summary span{display:block}
dt{margin-top:.5rem}
dd{margin-left:1.2rem}
`;

/** The only style that the page may have, by its SHA-256. A test keeps it true. */
const STYLE_HASH = "sha256-Bwjz7S+j7IbGtyoZ0xe/8Amz/CbMRNXvTgC0m8pHr50=";

/** Headers to answer with. */
export const DOCS_HEADERS: Record<string, string> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; ` +
    "form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** Writes the page. */
export function docsPage({ info, tags, paths }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation }))
  );
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    const shown = own.map(({ method, path, operation }) => operationHtml(method, path, operation));
    return `<h2>${escape(description)}</h2>${shown.join("")}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<title>${escape(info.title)}: HTTP</title><style>${STYLE}</style></head><body>` +
    `<h1>${escape(info.title)}</h1><p>${escape(info.description)}</p>` +
    `<p><a href="openapi.json">openapi.json</a> is the same for programs.</p>` +
    `${sections.join("")}</body></html>\n`;
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const parts = [description === undefined ? "" : `<p>${escape(description)}</p>`];
  if (parameters.length > 0) {
    const items = parameters.map(({ name, in: place, description, schema }) =>
      item(`${name}`, `${place}, ${shapeOf(schema)}`, description)
    );
    parts.push(`<h3>Parameters</h3><dl>${items.join("")}</dl>`);
  }
  if (requestBody !== undefined) {
    parts.push(`<h3>Body</h3><p>${escape(requestBody.description)}</p>`);
    parts.push(contentHtml(requestBody.content));
  }
  const answers = Object.entries(responses).map(([status, { description, headers, content }]) => {
    if (description === undefined) return item("other", "problem", "Refusals that all routes have");
    const listed = Object.entries(headers ?? {}).map(([name, { description }]) =>
      item(name, "header", description)
    );
    const isProblem = content !== undefined && "application/problem+json" in content;
    const body = content === undefined || isProblem ? "" : contentHtml(content);
    const nested = listed.length === 0 ? "" : `<dl>${listed.join("")}</dl>`;
    return item(status, isProblem ? "problem" : "", description, nested + body);
  });
  parts.push(`<h3>Answers</h3><dl>${answers.join("")}</dl>`);
  return `<details id="${escape(operation.operationId)}"><summary><b>${method.toUpperCase()}</b> ` +
    `<code>${escape(path)}</code> <span>${escape(summary)}</span></summary>` +
    `${parts.join("")}</details>`;
}

function contentHtml(content: NonNullable<Operation["requestBody"]>["content"]): string {
  return Object.entries(content).map(([type, { schema, example }]) => {
    const shown = example === undefined
      ? ""
      : `<pre>${escape(JSON.stringify(example, null, 1))}</pre>`;
    const shape = schema === undefined
      ? ""
      : `<details><summary>Schema</summary><pre>${
        escape(JSON.stringify(schema, null, 1))
      }</pre></details>`;
    return `<p><code>${escape(type)}</code></p>${shown}${shape}`;
  }).join("");
}

function item(name: string, kind: string, text: string, more = ""): string {
  const note = kind === "" ? "" : ` <small>${escape(kind)}</small>`;
  return `<dt><code>${escape(name)}</code>${note}</dt><dd>${escape(text)}${more}</dd>`;
}

/** A schema in a few words. */
function shapeOf({ type, enum: values, minimum, maximum }: JsonObject): string {
  if (Array.isArray(values)) return values.join(" or ");
  const isBounded = maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER;
  if (isBounded) return `${type} from ${minimum} to ${maximum}`;
  return minimum === undefined ? String(type) : `${type} of ${minimum} or more`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
