/** Feeds bytes to the parsers in pieces, and writes down what they find. */

import { Buffer } from "node:buffer";
import { ByteWindow } from "../../lib/server/tcp/byte_window.ts";
import { RespParser } from "../../lib/server/tcp/resp/resp_parser.ts";
import { TextParser } from "../../lib/server/tcp/text/text_parser.ts";

/** What was found, as text in Latin-1, so that every byte counts. */
export type Found = readonly string[];

export const LIMITS = { bulkBytesMax: 1 << 20, commandBytesMax: 2 << 20 };
export const VALUE_BYTES_MAX = 1 << 20;

/** Bytes as text with a character for each. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** What a parser finds in these pieces, one after the other, and how much memory it held at most. */
export interface Feeding {
  found: Found;
  heldMax: number;
}

/** Feeds the parser of RESP. */
export function feedResp(pieces: Iterable<Uint8Array>, isRestricted = false): Feeding {
  const parser = new RespParser(LIMITS);
  parser.isRestricted = isRestricted;
  return feed(pieces, parser, () => parser.args.map(latin1).join("|"));
}

/** Feeds the parser of the text protocol. */
export function feedText(pieces: Iterable<Uint8Array>, isRestricted = false): Feeding {
  const parser = new TextParser(VALUE_BYTES_MAX);
  parser.isRestricted = isRestricted;
  return feed(pieces, parser, () => {
    const { name, argument, value, problem } = parser;
    if (name === "unknown") return `unknown: ${problem}`;
    const words = [name, latin1(argument)];
    return (name === "SET" ? [...words, latin1(value)] : words).join("|");
  });
}

function feed(
  pieces: Iterable<Uint8Array>,
  parser: RespParser | TextParser,
  show: () => string,
): Feeding {
  const window = new ByteWindow();
  const found: string[] = [];
  let heldMax = 0;
  for (const piece of pieces) {
    // A copy, so that nothing can rely on bytes of an earlier piece staying where they were.
    window.append(piece.slice(), parser.lengthExpected);
    while (window.length > 0) {
      const result = parser.parse(window);
      if (result === "more") break;
      if (typeof result === "object") {
        found.push(result.isSilent ? "closed" : `wrong: ${result.code ?? ""} ${result.message}`);
        return { found, heldMax };
      }
      if (result === "command") found.push(show());
      parser.finish(window);
    }
    window.compact();
    heldMax = Math.max(heldMax, window.held);
  }
  return { found, heldMax };
}

/** Bytes of text in Latin-1. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The two parts of bytes, for every place to divide them; then each byte by itself. */
export function* everySplit(bytes: Uint8Array): Iterable<Uint8Array[]> {
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
}
