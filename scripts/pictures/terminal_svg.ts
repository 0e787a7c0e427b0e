/**
 * Draws what a terminal shows as an SVG: text that can be read, searched and scaled, in the colours of
 * whoever looks at it, light or dark.
 */

const COLUMNS = 94;
const COLUMN_WIDTH = 8.4;
const LINE_HEIGHT = 20;
const FONT_SIZE = 14;
const MARGIN = 18;
const TITLE_HEIGHT = 34;

/** A command, and what it printed, with the terminal's codes for colours. */
export interface Step {
  command: string;
  output: string;
}

/** Text of one colour. */
interface Run {
  text: string;
  colour: "plain" | "prompt" | "command" | "red" | "green" | "yellow" | "dim";
}

const COLOURS: Record<string, Run["colour"]> = {
  "0": "plain",
  "2": "dim",
  "31": "red",
  "32": "green",
  "33": "yellow",
};

/** The picture of a session. `title` is for those who cannot see it, too. */
export function drawTerminal(title: string, steps: readonly Step[]): string {
  const lines = steps.flatMap(({ command, output }) => [
    ...wrap([{ text: "$ ", colour: "prompt" }, { text: command, colour: "command" }]),
    ...output.replace(/\n$/, "").split("\n").filter((line, index) => index > 0 || line !== "")
      .flatMap((line) => wrap(runsOf(line))),
  ]);
  const width = Math.round(COLUMNS * COLUMN_WIDTH + 2 * MARGIN);
  const height = TITLE_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  const body = lines.flatMap((runs, index) => {
    const y = TITLE_HEIGHT + index * LINE_HEIGHT + FONT_SIZE;
    let column = 0;
    return runs.map(({ text, colour }) => {
      const x = MARGIN + column * COLUMN_WIDTH;
      const columns = text.length;
      column += columns;
      // Fonts differ in width; the length makes columns stand below each other in any.
      return `<text x="${fixed(x)}" y="${y}" textLength="${fixed(columns * COLUMN_WIDTH)}" ` +
        `class="${colour}">${escape(text)}</text>`;
    });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" xml:space="preserve" role="img" aria-label="${
    escape(title)
  }">
<title>${escape(title)}</title>
<style>
.back { fill: #f6f8fa; stroke: #d1d9e0 }
.title, .dim { fill: #59636e }
.plain { fill: #1f2328 }
.prompt { fill: #59636e }
.command { fill: #1f2328; font-weight: 600 }
.red { fill: #cf222e }
.green { fill: #116329 }
.yellow { fill: #7d4e00 }
text { font: ${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
.title { font: 12px system-ui, sans-serif }
@media (prefers-color-scheme: dark) {
.back { fill: #151b23; stroke: #3d444d }
.title, .dim, .prompt { fill: #9198a1 }
.plain, .command { fill: #f0f6fc }
.red { fill: #ff7b72 }
.green { fill: #7ee787 }
.yellow { fill: #e3b341 }
}
</style>
<rect class="back" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${MARGIN}" y="22">${escape(title)}</text>
${body.join("\n")}
</svg>
`;
}

/** Divides a line that a terminal printed by its colours. */
function runsOf(line: string): Run[] {
  const runs: Run[] = [];
  let colour: Run["colour"] = "plain";
  // deno-lint-ignore no-control-regex
  for (const part of expandTabs(line).split(/(\x1b\[[\d;]*m)/)) {
    // deno-lint-ignore no-control-regex
    const [, codes] = /^\x1b\[([\d;]*)m$/.exec(part) ?? [];
    if (codes === undefined) {
      if (part !== "") runs.push({ text: part, colour });
    } else {
      colour = COLOURS[codes === "" ? "0" : codes] ?? "plain";
    }
  }
  return runs;
}

function expandTabs(line: string): string {
  return line.split("\t").reduce((before, rest) => before.padEnd((before.length | 7) + 1) + rest);
}

/** Divides runs into lines that are no longer than the terminal is wide, between words. */
function wrap(runs: readonly Run[]): Run[][] {
  const lines: Run[][] = [[]];
  let left = COLUMNS;
  for (const { text, colour } of runs) {
    for (const word of text.match(/\S*\s*/g)!.filter((each) => each !== "")) {
      if (word.trimEnd().length > left && left < COLUMNS) {
        lines.push([]);
        left = COLUMNS;
      }
      const line = lines.at(-1)!;
      const last = line.at(-1);
      if (last?.colour === colour) last.text += word;
      else line.push({ text: word, colour });
      left -= word.length;
    }
  }
  return lines;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
