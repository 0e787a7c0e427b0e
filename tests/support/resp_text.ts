/** Replies of RESP commands as short text, to compare them with what is expected and with others. */

import type { Reply, ReplyEncoder } from "../../lib/server/tcp/resp/reply.ts";

/** A container that is still to be filled. */
interface Open {
  close: string;
  items: string[];
  missing: number;
}

/**
 * Writes replies as text: `+OK`, `-ERR …`, `:1`, `"bulk"`, `nil`, `nil[]`, `[a b]`, `(a b)`,
 * `{key value}`.
 * Bytes that are no visible ASCII are escaped.
 */
export class RespText implements ReplyEncoder {
  readonly done: string[] = [];
  readonly #open: Open[] = [];
  /** Whether maps, sets and verbatim text are told from arrays and bulk strings. */
  readonly #protocol: 2 | 3;

  constructor(protocol: 2 | 3 = 2) {
    this.#protocol = protocol;
  }

  simple(text: string): void {
    this.#add(`+${text}`);
  }

  error(text: string): void {
    this.#add(`-${text.replace(/[\r\n]/g, " ")}`);
  }

  integer(value: number | bigint): void {
    this.#add(`:${value}`);
  }

  bulk(value: Uint8Array | string): void {
    this.#add(quoted(value));
  }

  nullBulk(): void {
    this.#add("nil");
  }

  nullArray(): void {
    this.#add(this.#protocol === 3 ? "nil" : "nil[]");
  }

  array(length: number): void {
    this.#begin("[", "]", length);
  }

  set(length: number): void {
    if (this.#protocol === 3) this.#begin("(", ")", length);
    else this.#begin("[", "]", length);
  }

  map(length: number): void {
    if (this.#protocol === 3) this.#begin("{", "}", length * 2);
    else this.#begin("[", "]", length * 2);
  }

  verbatim(text: string): void {
    this.#add(this.#protocol === 3 ? `=${quoted(text)}` : quoted(text));
  }

  #begin(open: string, close: string, length: number): void {
    if (length === 0) this.#add(open + close);
    else this.#open.push({ close: open + close, items: [], missing: length });
  }

  #add(item: string): void {
    const open = this.#open.at(-1);
    if (open === undefined) {
      this.done.push(item);
      return;
    }
    open.items.push(item);
    if (--open.missing > 0) return;
    this.#open.pop();
    this.#add(open.close[0] + open.items.join(" ") + open.close[1]);
  }
}

/** A reply as text. Throws unless it is exactly one. */
export function textOf(reply: Reply, protocol: 2 | 3 = 2): string {
  const out = new RespText(protocol);
  reply(out);
  if (out.done.length !== 1) throw new Error(`${out.done.length} replies, of which one is whole`);
  return out.done[0]!;
}

/** Bytes, or text as UTF-8, in quotes. */
export function quoted(value: Uint8Array | string): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return `"${
    Array.from(bytes, (byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`).join("")
  }"`;
}

/** A command as people write it: words, and such in double quotes with `\xff` and `\\` in them. */
export function wordsOf(command: string): Uint8Array[] {
  const words = command.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return words.map((word) => {
    if (!word.startsWith('"')) return new TextEncoder().encode(word);
    const bytes: number[] = [];
    const content = word.slice(1, -1);
    for (const [part, hex, plain] of content.matchAll(/\\x([0-9a-f]{2})|\\(.)|[^\\]/gsu)) {
      if (hex !== undefined) bytes.push(parseInt(hex, 16));
      else bytes.push(...new TextEncoder().encode(plain ?? part));
    }
    return Uint8Array.from(bytes);
  });
}
