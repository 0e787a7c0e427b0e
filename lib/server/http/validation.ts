/** Checks input against the schemas that are documented, and names the part that is wrong. */

import * as v from "valibot";
import { invalidArgument } from "./problem.ts";
import { queryOf } from "./request_target.ts";
import type { QueryDefinition } from "./route.ts";

const SHOWN_CHARACTERS_MAX = 60;

/** What {@link readQuery} returns: parameters that were not given are undefined. */
export type Query<Definition extends QueryDefinition> = {
  [Name in keyof Definition]?: v.InferOutput<Definition[Name]["schema"]>;
};

/** Text that UTF-8 can represent. */
export const text: v.GenericSchema<string> = v.pipe(
  v.string("text"),
  v.check((input) => input.isWellFormed(), "text without halves of surrogate pairs"),
);

/** An integer within bounds. */
export function integer(min: number, max: number): v.GenericSchema<number> {
  const message = max === Number.MAX_SAFE_INTEGER
    ? `an integer of ${min} or more`
    : `an integer from ${min} to ${max}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
}

/** A switch in the query: `?reverse=1`. */
export const flag: v.GenericSchema<string> = v.picklist(
  ["1", "0", "true", "false"],
  "1 (or true) or 0 (or false)",
);

/** Whether a {@link flag} is on. */
export function isOn(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

/** Reads and checks the query's parameters; refuses those that are not in the definition. */
export function readQuery<Definition extends QueryDefinition>(
  request: Request,
  definition: Definition,
): Query<Definition> {
  const given = queryOf(request, Object.keys(definition));
  const query: Record<string, unknown> = {};
  for (const name in given) {
    const { schema } = definition[name]!;
    const written = given[name]!;
    const isNumber = schema.type === "number" && /^-?\d+(?:\.\d+)?$/.test(written);
    query[name] = validate(schema, isNumber ? Number(written) : written, name);
  }
  return query as Query<Definition>;
}

/** Checks a value; `name` is what it is called, which may be nothing for a whole body. */
export function validate<Output>(
  schema: v.GenericSchema<unknown, Output>,
  input: unknown,
  name: string,
): Output {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = fieldOf(name, issue);
  throw invalidArgument(field === "" ? "body" : field, detailOf(field, issue));
}

/** The place in the body, as in `ops[3].value`. */
function fieldOf(name: string, { path }: v.BaseIssue<unknown>): string {
  const steps = (path ?? []).map(({ key }) => typeof key === "number" ? `[${key}]` : `.${key}`);
  return (name + steps.join("")).replace(/^\./, "").slice(0, 200);
}

function detailOf(field: string, issue: v.BaseIssue<unknown>): string {
  const what = field === "" ? "The body" : field;
  if (issue.type === "strict_object" && issue.expected === "never") {
    return `${what} is not known here: leave it out`;
  }
  if (issue.input === undefined) return `${what} is missing`;
  const expected = issue.message.startsWith("Invalid ") ? issue.expected : issue.message;
  return `${what} is ${shown(issue.input)}: it must be ${expected}`;
}

function shown(input: unknown): string {
  if (Array.isArray(input)) return "an array";
  if (typeof input === "object" && input !== null) return "an object";
  // JSON has numbers that are too great for one, and no name for what they become.
  const written = typeof input === "number" ? String(input) : JSON.stringify(input);
  return written.length > SHOWN_CHARACTERS_MAX
    ? `${written.slice(0, SHOWN_CHARACTERS_MAX)}…`
    : written;
}
