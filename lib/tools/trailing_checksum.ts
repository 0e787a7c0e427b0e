import { crc32 } from "../format/crc32.ts";

/** Whether the last four bytes are the checksum of all before, as in ACTIVE whatever its version. */
export function endsWithChecksum(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(bytes.length - 4, true) === crc32(bytes, 0, bytes.length - 4);
}
