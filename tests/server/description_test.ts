/** /openapi.json and /docs say what there is, and nothing else. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { createApp } from "../../lib/server/http/mod.ts";
import { ROUTES } from "../../lib/server/http/routes.ts";
import { STATUS_BY_CODE } from "../../lib/server/http/problem.ts";
import { codeBlocks, readText, sectionOf, tableUnder } from "../docs/markdown.ts";
import { Service } from "./service.ts";

const PROTOCOL = readText("docs/protocol.md");

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
  responses: Record<string, unknown>;
}

async function document(service: Service): Promise<Record<string, Record<string, Operation>>> {
  const response = await service.ask("GET", "/openapi.json");
  assert.equal(response.headers.get("content-type")?.split(";")[0], "application/json");
  const { paths, ...rest } = await response.json();
  assert.equal(rest.openapi, "3.1.0");
  return paths;
}

test("openapi.json: is a valid OpenAPI 3.1 document", async () => {
  await using service = await Service.start();
  const whole = await (await service.ask("GET", "/openapi.json")).json();
  assert.deepEqual(await new Validator().validate(whole), { valid: true });
  const operations = Object.values(await document(service)).flatMap((path) => Object.values(path));
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
});

test("openapi.json: has the paths and methods that are answered, no more and no less", async () => {
  await using service = await Service.start();
  const paths = await document(service);
  for (const [path, methods] of Object.entries(paths)) {
    const options = await service.ask("OPTIONS", path.replace("{key}", "a"));
    const allowed = options.headers.get("allow")!.toLowerCase().split(", ");
    const described = Object.keys(methods);
    assert.deepEqual(
      allowed.filter((method) => method !== "options" && method !== "head").sort(),
      described.filter((method) => method !== "head").sort(),
      path,
    );
  }
  // What the router knows beside: nothing.
  const routed = new Set(createApp(service.store).routes.map(({ path }) => path));
  const described = Object.keys(paths).map((path) => path.replace("{key}", "*"));
  assert.deepEqual([...routed].sort(), described.sort());
});

test("openapi.json: query parameters are those that are taken", async () => {
  await using service = await Service.start();
  for (const [path, methods] of Object.entries(await document(service))) {
    for (const [method, { parameters = [] }] of Object.entries(methods)) {
      if (method === "head" || /^\/(?:healthz|readyz|metrics|openapi|docs)/.test(path)) continue;
      const names = parameters.filter((parameter) => parameter.in === "query");
      for (const { name } of names) {
        const url = `${path.replace("{key}", "a")}?${name}=%FF`;
        const problem = await (await service.ask(method.toUpperCase(), url)).json();
        assert.match(problem.detail, /not percent-encoded/, `${method} ${url}`);
      }
      const url = `${path.replace("{key}", "a")}?no-such=1`;
      const headers = { "content-type": "application/json" };
      const response = await service.ask(method.toUpperCase(), url, { headers });
      assert.equal((await response.json()).field, "no-such", `${method} ${url}`);
    }
  }
});

test("openapi.json: says of ttl what is true of it", async () => {
  await using service = await Service.start();
  const put = (await document(service))["/v1/kv/{key}"]!["put"]!;
  const schema = put.parameters!.find(({ name }) => name === "ttl")!.schema;
  assert.equal(schema["type"], "number");
  const { minimum, maximum } = schema as { minimum: number; maximum: number };
  const statusOf = async (ttl: number) =>
    (await service.ask("PUT", `/v1/kv/${ttl}?ttl=${ttl}`, { body: "x" })).status;
  assert.deepEqual([await statusOf(minimum), await statusOf(maximum)], [201, 201]);
  assert.deepEqual([await statusOf(minimum / 10), await statusOf(maximum + 1)], [400, 400]);
});

test("docs: one page with every operation, which loads and runs nothing", async () => {
  await using service = await Service.start();
  const response = await service.ask("GET", "/docs");
  const page = await response.text();
  assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  for (const { operationId } of ROUTES) assert(page.includes(`id="${operationId}"`), operationId);
  assert.doesNotMatch(page, /<script|<link|<img|\bsrc=|\bon\w+=|url\(|@import|https?:/);
  assert(page.length < 64 * 1024, `${page.length} characters`);

  const policy = response.headers.get("content-security-policy")!;
  const [, style] = /<style>(.*?)<\/style>/s.exec(page)!;
  const hash = createHash("sha256").update(style!).digest("base64");
  assert(policy.includes(`style-src 'sha256-${hash}'`), `the style has the hash sha256-${hash}`);
  assert.match(policy, /^default-src 'none';/);
  assert.doesNotMatch(policy, /unsafe|script-src/);
});

test("docs: what is in the document stands in the page as text", async () => {
  const { docsPage } = await import("../../lib/server/http/docs_page.ts");
  const evil = `<b onclick="x">&'`;
  const page = docsPage({
    openapi: "3.1.0",
    info: { title: evil, version: "1", description: evil },
    tags: [{ name: "t", description: evil }],
    paths: {
      [evil]: {
        get: {
          operationId: evil,
          summary: evil,
          tags: ["t"],
          responses: { 200: { description: evil } },
        },
      },
    },
    components: { schemas: {}, responses: {} },
  });
  assert(!page.includes("<b onclick"));
  assert(page.includes("&#60;b onclick=&#34;x&#34;&#62;&#38;&#39;"));
});

test("protocol.md: has every route, and every problem with its status", () => {
  const routes = tableUnder(PROTOCOL, "Routes").map(({ route }) => route!);
  assert.deepEqual(routes.sort(), ROUTES.map(({ method, path }) => `${method} ${path}`).sort());

  const problems = tableUnder(PROTOCOL, "Errors").map(({ status, code }) => `${status} ${code}`);
  const expected = Object.entries(STATUS_BY_CODE).map(([code, status]) => `${status} ${code}`);
  assert.deepEqual(problems.sort(), [...expected, "409 ConditionFailed"].sort());
});

test("protocol.md: the batch that is shown is one, and so is the page", async () => {
  await using service = await Service.start();
  const [batch] = codeBlocks(sectionOf(PROTOCOL, "Batches"));
  const { ops } = JSON.parse(batch!.code);
  assert.equal((await service.postBatch({ ops })).status, 200);
  const page = await (await service.ask("GET", "/v1/kv?values=1")).json();
  const [shown] = codeBlocks(sectionOf(PROTOCOL, "Listings"));
  const [photo] = JSON.parse(shown!.code).entries;
  const { version: _, expiresAt, ...rest } = page.entries[1];
  assert.equal(typeof expiresAt, "number");
  assert.deepEqual({ ...rest, version: photo.version }, photo);
  assert.deepEqual(Object.keys(JSON.parse(shown!.code)), Object.keys(page));
});
