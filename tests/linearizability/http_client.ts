/** The operations of a history, carried out over HTTP on a server that may be gone any moment. */

import { type Action, type Condition, describe, type Result } from "./operation.ts";
import { fromBytes, toBytes } from "./workload.ts";

/** Longer than any answer takes; only an operation that hangs meets it. */
const TIMEOUT_MS = 10_000;

/** Carries out an action. Undefined: no answer came, and nobody knows what the server did. */
export async function performOver(url: string, action: Action): Promise<Result | undefined> {
  const request = requestOf(action);
  let response: Response;
  let body: Uint8Array;
  try {
    response = await fetch(`${url}/v1/kv/${encodeURIComponent(request.key)}`, {
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = new Uint8Array(await response.arrayBuffer());
  } catch {
    return undefined;
  }
  const version = versionOf(response);
  switch (response.status) {
    case 200:
      return { kind: "found", value: fromBytes(body), version };
    case 201:
      return { kind: "done", version, created: true };
    case 204:
      return action.kind === "set"
        ? { kind: "done", version, created: false }
        : { kind: "done", version };
    case 404:
      return { kind: "missing" };
    case 412:
      return { kind: "refused" };
  }
  const operation = { client: 0, action, call: 0, end: Infinity, result: undefined };
  throw new Error(`${describe(operation)}: ${response.status} ${new TextDecoder().decode(body)}`);
}

interface Request {
  method: string;
  key: string;
  headers: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
}

function requestOf(action: Action): Request {
  switch (action.kind) {
    case "get":
      return { method: "GET", key: action.key, headers: {} };
    case "set": {
      const { key, value, condition } = action;
      return { method: "PUT", key, headers: headersOf(condition), body: toBytes(value) };
    }
    case "delete":
      return { method: "DELETE", key: action.key, headers: headersOf(action.condition) };
    case "batch":
    case "update":
      throw new Error("This client has neither batches nor updates");
  }
}

function headersOf(condition: Condition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  if ("ifAbsent" in condition) return { "if-none-match": "*" };
  return { "if-match": "ifPresent" in condition ? "*" : `"${condition.ifVersion}"` };
}

function versionOf({ headers }: Response): number | undefined {
  const digits = /^"(\d+)"$/.exec(headers.get("etag") ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}
