/** A long array of strings, encoded while it is collected, so that no moment has to do it all. */

import { EMPTY_ARRAY } from "./replies.ts";
import type { Reply } from "./reply.ts";
import type { RespClient } from "./resp_client.ts";
import { RespError } from "./resp_error.ts";

const CHUNK_BYTES = 64 * 1024;
/** `$`, the length, and line breaks. */
const HEADER_BYTES_MAX = 16;
const RETURN = 0x0d;
const encoder = new TextEncoder();

/** Collects strings as bulk strings. What they take is held for the client until they are sent. */
export class EncodedBulks {
  readonly #client: RespClient;
  readonly #full: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;
  #count = 0;
  #bytesHeld = 0;

  constructor(client: RespClient) {
    this.#client = client;
  }

  /** Adds a string. Throws if all strings are too long together. */
  add(text: string): void {
    const room = text.length * 3 + HEADER_BYTES_MAX;
    if (this.#chunk.length - this.#used < room) this.#begin(Math.max(room, CHUNK_BYTES));
    const chunk = this.#chunk;
    // The header is as long as the length has digits, which is known only behind the text.
    const at = this.#used + HEADER_BYTES_MAX;
    const { written } = encoder.encodeInto(text, chunk.subarray(at));
    const header = `$${written}\r\n`;
    for (let index = 0; index < header.length; index++) {
      chunk[this.#used + index] = header.charCodeAt(index);
    }
    chunk.copyWithin(this.#used + header.length, at, at + written);
    this.#used += header.length + written;
    chunk[this.#used++] = RETURN;
    chunk[this.#used++] = RETURN - 3;
    this.#count++;
  }

  /** The array. Nothing is to be added any more. */
  reply(): Reply {
    if (this.#count === 0) return EMPTY_ARRAY;
    this.#end();
    const chunks = this.#full;
    return (out) => {
      out.array(this.#count);
      for (const chunk of chunks) {
        if (out.encoded === undefined) { for (const bulk of bulksOf(chunk)) out.bulk(bulk); }
        else out.encoded(chunk);
      }
      this.letGo();
    };
  }

  /** Holds nothing for the client any more. */
  letGo(): void {
    this.#client.letGo(this.#bytesHeld);
    this.#bytesHeld = 0;
  }

  #begin(byteLength: number): void {
    this.#end();
    if (!this.#client.hold(byteLength)) {
      throw new RespError("ERR there are too many keys for one reply: use SCAN");
    }
    this.#bytesHeld += byteLength;
    this.#chunk = new Uint8Array(byteLength);
    this.#used = 0;
  }

  #end(): void {
    if (this.#used > 0) this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}

function* bulksOf(chunk: Uint8Array): Generator<Uint8Array> {
  let at = 0;
  while (at < chunk.length) {
    let length = 0;
    for (at++; chunk[at] !== RETURN; at++) length = length * 10 + chunk[at]! - 0x30;
    yield chunk.subarray(at + 2, at + 2 + length);
    at += 2 + length + 2;
  }
}
