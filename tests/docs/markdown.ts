/** Reads the project's Markdown: headings, tables and code blocks, as far as tests need them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Top directory of the project, ending with a slash. */
export const PROJECT: string = fileURLToPath(new URL("../../", import.meta.url));

/** The text of a file of the project. */
export function readText(path: string): string {
  return readFileSync(PROJECT + path, "utf8");
}

/** A row of a table: its cells by the name of their column, without the marks of code. */
export type Row = Record<string, string>;

/** The first table under a heading. */
export function tableUnder(text: string, heading: string): Row[] {
  const section = sectionOf(text, heading);
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  const columns = cellsOf(lines[0] ?? assert.fail(`there is no table under "${heading}"`));
  return lines.slice(2).map((line) => {
    const cells = cellsOf(line);
    assert.equal(cells.length, columns.length, `the row "${line}" fits the table`);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]!]));
  });
}

/** The text between a heading and the next one of any level. */
export function sectionOf(text: string, heading: string): string {
  const start = new RegExp(`^#+ ${heading}$`, "m").exec(text);
  assert.notEqual(start, null, `there is a heading "${heading}"`);
  const rest = text.slice(start!.index + start![0].length);
  const end = /^#+ /m.exec(rest);
  return end === null ? rest : rest.slice(0, end.index);
}

/** As {@link sectionOf}, in one line: where prose is wrapped must not matter. */
export function proseUnder(text: string, heading: string): string {
  return sectionOf(text, heading).replace(/\s+/g, " ");
}

/** A fenced block of code. */
export interface CodeBlock {
  /** What follows the fence: the language, then perhaps more words. */
  info: string;
  code: string;
  /** Number of its first line. */
  line: number;
}

/** The fenced blocks of code, in order. */
export function codeBlocks(text: string): CodeBlock[] {
  return [...text.matchAll(/^```(\S[^\n]*)\n(.*?)^```$/gms)].map(({ 1: info, 2: code, index }) => ({
    info: info!,
    code: code!,
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

function cellsOf(line: string): string[] {
  return line.replace(/^\|/, "").replace(/\|\s*$/, "").split("|")
    .map((cell) => cell.trim().replaceAll("`", ""));
}
