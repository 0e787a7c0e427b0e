/** The OpenAPI 3.1 document, made from the routes: it has what they have and nothing else. */

import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { STATUS_BY_CODE, TITLE_BY_STATUS } from "./problem.ts";
import type { Content, Parameter, ResponseDefinition, Route } from "./route.ts";

/** Any part of the document: JSON. */
export type JsonObject = { [name: string]: unknown };

/** The parts of the document that are read again here. */
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: JsonObject; responses: JsonObject };
}

/** One method of a path. */
export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  parameters?: ParameterObject[];
  requestBody?: { description: string; required: boolean; content: ContentObject };
  responses: Record<string, ResponseObject>;
}

/** A parameter of an operation. */
export interface ParameterObject {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description: string;
  schema: JsonObject;
}

/** An answer of an operation, or where it is described. */
export interface ResponseObject {
  description: string;
  headers?: Record<string, { description: string; schema: JsonObject }>;
  content?: ContentObject;
}

/** A body in each of its media types. */
export type ContentObject = Record<string, { schema?: JsonObject; example?: unknown }>;

/** Version of the interface, which is that in its paths. */
const INTERFACE_VERSION = "1";
const PROBLEM_TYPE = "application/problem+json";
const PROBLEM_SCHEMA = { $ref: "#/components/schemas/Problem" };

const DESCRIPTION =
  "Values of bytes under keys of text. Errors are application/problem+json, with " +
  "a code for programs. HEAD is answered wherever GET is, and OPTIONS everywhere. The Host must be " +
  "the address that the service was started with, and browsers may not ask for pages of other " +
  "origins.";

const TAGS = [
  { name: "keys", description: "Keys and values" },
  { name: "store", description: "The store as a whole" },
  { name: "service", description: "The service itself" },
];

const problemSchema = v.object({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  code: v.pipe(v.picklist(Object.keys(STATUS_BY_CODE)), v.description("For programs.")),
  detail: v.pipe(v.string(), v.description("For people.")),
  field: v.optional(
    v.pipe(v.string(), v.description("The part of the request that is wrong, if it is one.")),
  ),
});

/** Describes routes. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const paths: OpenApiDocument["paths"] = {};
  for (const route of routes) {
    const operations = paths[route.path] ??= {};
    operations[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Cairn", version: INTERFACE_VERSION, description: DESCRIPTION },
    tags: TAGS,
    paths,
    components: {
      schemas: { Problem: jsonSchemaOf(problemSchema) },
      responses: {
        Problem: {
          description: "Any other refusal or failure.",
          content: { [PROBLEM_TYPE]: { schema: PROBLEM_SCHEMA } },
        },
      },
    },
  };
}

function operationOf(route: Route): Operation {
  const { operationId, summary, description, tag, body } = route;
  const parameters = parametersOf(route);
  return {
    operationId,
    summary,
    ...(description !== undefined && { description }),
    tags: [tag],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        description: body.description,
        required: body.required,
        content: contentOf([body]),
      },
    }),
    responses: responsesOf(route),
  };
}

function parametersOf({ path, query = {}, headers = {} }: Route): ParameterObject[] {
  const parameters: ParameterObject[] = [];
  if (path.includes("{key}")) {
    parameters.push({
      name: "key",
      in: "path",
      required: true,
      description: "The key, percent-encoded; it is decoded once, and may hold slashes.",
      schema: { type: "string", minLength: 1 },
    });
  }
  const add = (place: "query" | "header", all: Readonly<Record<string, Parameter>>) => {
    for (const [name, { schema, description }] of Object.entries(all)) {
      const jsonSchema = jsonSchemaOf(schema);
      parameters.push({ name, in: place, required: false, description, schema: jsonSchema });
    }
  };
  add("query", query);
  add("header", headers);
  return parameters;
}

function responsesOf({ responses, problems = {} }: Route): Operation["responses"] {
  const all: Operation["responses"] = {};
  for (const [status, response] of Object.entries(responses)) all[status] = responseOf(response);
  for (const [status, when] of Object.entries(problems)) {
    all[status] = {
      description: `${TITLE_BY_STATUS[Number(status)]}: ${when}`,
      content: { [PROBLEM_TYPE]: { schema: PROBLEM_SCHEMA } },
    };
  }
  const other: JsonObject = { $ref: "#/components/responses/Problem" };
  return { ...all, default: other as unknown as ResponseObject };
}

function responseOf({ description, content, headers }: ResponseDefinition): ResponseObject {
  return {
    description,
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, meaning]) => [
          name,
          { description: meaning, schema: { type: "string" } },
        ]),
      ),
    }),
    ...(content !== undefined && { content: contentOf(content) }),
  };
}

function contentOf(contents: readonly Content[]): ContentObject {
  return Object.fromEntries(contents.map(({ type, schema, example }) => [type, {
    ...(schema !== undefined && { schema: jsonSchemaOf(schema) }),
    ...(example !== undefined && { example }),
  }]));
}

function jsonSchemaOf(schema: v.GenericSchema): JsonObject {
  // What no JSON Schema can say is left to the words beside it.
  const config: ConversionConfig = { target: "draft-2020-12", ignoreActions: ["check"] };
  const { $schema: _, ...rest } = toJsonSchema(schema, config);
  return rest;
}
