/** Archives and signatures of releases, byte by byte where no tool of another platform is at hand. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { signAdHoc } from "../../scripts/macho_signature.ts";
import { machoProgram, runProgram } from "./release_run.ts";

test("archives: the same in every time zone, whatever SOURCE_DATE_EPOCH says in UTC", () => {
  const program = `
    import { tarGz, zip } from "./scripts/release/archive.ts";
    import { sourceDate } from "./scripts/source.ts";
    const files = [{ name: "cairn", bytes: new Uint8Array([1, 2, 3]), executable: true }];
    const date = await sourceDate();
    for (const pack of [zip, tarGz]) console.log((await pack("cairn-1", files, date)).toHex());
  `;
  const SOURCE_DATE_EPOCH = String(Date.UTC(2024, 1, 29, 13, 37, 58) / 1000);
  const [tokyo, lima] = ["Asia/Tokyo", "America/Lima"]
    .map((TZ) => runProgram(program, { TZ, SOURCE_DATE_EPOCH }));
  assert.equal(tokyo, lima);
  const zipped = Buffer.from(tokyo!.split("\n")[0]!, "hex");
  // Two seconds a step, from 1980 on.
  assert.equal(zipped.readUInt16LE(10), (13 << 11) | (37 << 5) | 29);
  assert.equal(zipped.readUInt16LE(12), (44 << 9) | (2 << 5) | 29);
  const tarred = gunzipSync(Buffer.from(tokyo!.split("\n")[1]!, "hex"));
  assert.equal(Number.parseInt(tarred.toString("latin1", 136, 147), 8), Number(SOURCE_DATE_EPOCH));
  // In the directory at the end: a regular file that may be executed.
  const entry = zipped.indexOf("PK\u0001\u0002");
  assert.equal(zipped.readUInt32LE(entry + 38) >>> 16, 0o100755);
});

test("macOS: the signature covers every page of the program, with the header as it is then", () => {
  const codeBytes = 3 * 4096 + 512;
  const program = machoProgram(codeBytes, 700);
  const signed = Buffer.from(signAdHoc(program, "cairn"));

  const command = 32 + 144;
  assert.equal(signed.readUInt32LE(command + 8), codeBytes);
  const signatureBytes = signed.readUInt32LE(command + 12);
  assert.equal(signed.length, codeBytes + signatureBytes);
  const linkEdit = 32 + 72;
  const end = signed.readBigUInt64LE(linkEdit + 40) + signed.readBigUInt64LE(linkEdit + 48);
  assert.equal(end, BigInt(signed.length));
  assert(signed.readBigUInt64LE(linkEdit + 32) >= signed.readBigUInt64LE(linkEdit + 48));

  assert.equal(signed.readUInt32BE(codeBytes), 0xfade0cc0);
  assert.equal(signed.readUInt32BE(codeBytes + 4), signatureBytes);
  const directory = codeBytes + signed.readUInt32BE(codeBytes + 16);
  const at = (field: number) => signed.readUInt32BE(directory + 4 * field);
  assert.deepEqual([at(0), at(1)], [0xfade0c02, signatureBytes - 20]);
  const [hashes, identifier, special, pages, limit] = [at(4), at(5), at(6), at(7), at(8)];
  assert.deepEqual([special, pages, limit], [0, 4, codeBytes]);
  assert.equal(signed.toString("utf8", directory + identifier!, directory + hashes!), "cairn\0");
  for (let page = 0; page < pages!; page++) {
    const content = signed.subarray(page * 4096, Math.min((page + 1) * 4096, codeBytes));
    const place = directory + hashes! + 32 * page;
    const expected = createHash("sha256").update(content).digest();
    assert(signed.subarray(place, place + 32).equals(expected), `page ${page}`);
  }
  // Nothing but the two load commands is changed.
  const changed = [...program.subarray(0, codeBytes).keys()]
    .filter((place) => program[place] !== signed[place]);
  assert(changed.length > 0);
  assert(
    changed.every((place) =>
      (place >= linkEdit + 32 && place < linkEdit + 56) || (place >= command + 12 && place < 192)
    ),
  );
});

test("macOS: what is no program of it, or has no place for a signature, is refused", () => {
  assert.throws(() => signAdHoc(new Uint8Array(64), "cairn"), /no program of macOS/);
  const program = machoProgram(4096, 0);
  new DataView(program.buffer).setUint32(32 + 144, 0x7f, true);
  assert.throws(() => signAdHoc(program, "cairn"), /no place for a signature/);
});
