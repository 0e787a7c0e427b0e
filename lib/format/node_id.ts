/** The identity of a store as text: a UUID as in RFC 9562. */

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Writes 16 bytes as a UUID. */
export function formatNodeId(nodeId: Uint8Array): string {
  const hex = Array.from(nodeId, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Reads a UUID, surrounding white space allowed; undefined if the text is not one. */
export function parseNodeId(text: string): Uint8Array | undefined {
  const uuid = text.trim().toLowerCase();
  if (!UUID_PATTERN.test(uuid)) return undefined;
  const hex = uuid.replaceAll("-", "");
  return Uint8Array.from(
    { length: 16 },
    (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}

/** The content of the file NODE_ID: the UUID and a line feed. */
export function encodeNodeId(nodeId: Uint8Array): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${formatNodeId(nodeId)}\n`);
}
