/**
 * Finds names that an object of a JSON text gives twice. Parsers take the last one without a word;
 * but whoever sent both meant one of them, and nobody knows which.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const ARRAY_BEGIN = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_END = 0x5d;
const OBJECT_BEGIN = 0x7b;
const OBJECT_END = 0x7d;

/** An object or array that has begun and not ended. */
interface Level {
  /** Of an object, the names so far. */
  names: Set<string> | undefined;
  /** The last of them; of an array, the index. */
  at: string | number;
}

/**
 * The first place that is given twice, as in `ops[3].value`; undefined if there is none. The text
 * must be JSON that was parsed before.
 */
export function findRepeatedName(text: string): string | undefined {
  const levels: Level[] = [];
  let level: Level | undefined;
  let isNameNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (isNameNext) {
          isNameNext = false;
          const name = textOf(text.slice(at, end + 1));
          level!.at = name;
          if (level!.names!.has(name)) return placeOf(levels);
          level!.names!.add(name);
        }
        at = end;
        break;
      }
      case COMMA:
        if (level!.names !== undefined) isNameNext = true;
        else (level!.at as number)++;
        break;
      case OBJECT_BEGIN:
        levels.push(level = { names: new Set(), at: "" });
        isNameNext = true;
        break;
      case ARRAY_BEGIN:
        levels.push(level = { names: undefined, at: 0 });
        break;
      case OBJECT_END:
      case ARRAY_END:
        levels.pop();
        level = levels.at(-1);
        isNameNext = false;
        break;
    }
  }
  return undefined;
}

/** Where the string that begins at `start` has its last quote. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text.charCodeAt(before - 1) === BACKSLASH) before--;
  return (at - before) % 2 === 1;
}

function textOf(quoted: string): string {
  return quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1);
}

const PLACE_LENGTH_MAX = 200;

function placeOf(levels: readonly Level[]): string {
  let place = "";
  for (const { names, at } of levels) {
    place += names === undefined ? `[${at}]` : `.${at}`;
    if (place.length > PLACE_LENGTH_MAX) break;
  }
  return place.replace(/^\./, "").slice(0, PLACE_LENGTH_MAX);
}
