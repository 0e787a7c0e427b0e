/** Finds where the engine syncs, cuts and checks, so that no such place is without its mutant. */

/** What a place does. */
export type SiteKind = "sync" | "truncate" | "checksum";

/** A place in a source file. */
export interface CallSite {
  kind: SiteKind;
  /** The name that is called, or the comparison. */
  call: string;
  /** Offset in the text. */
  at: number;
  /** The line it stands in. */
  line: string;
}

/** Calls that make something durable, by the names that Cairn and the runtimes have for them. */
const SYNC =
  /(?:#sync|#syncFile|\bsync|\bsyncAsync|\bsyncPooled|\bsyncDirectory|\bsyncIntoParent|\bseal|#sealRecovered|\bf(?:data)?sync(?:Sync)?)\(/g;
const TRUNCATE = /(?:\b|#)f?truncate(?:Sync)?\(/g;
/** Calls that say whether a checksum holds, and comparisons of checksums and chains. */
const CHECKSUM = new RegExp(
  [
    String.raw`\b(?:computeFrameCrc|endsWithChecksum)\(`,
    String.raw`\bdecodeFrame\([^()]*\)\s*[!=]==`,
    String.raw`\bcrc32\([^()]*\)\s*[!=]==`,
    String.raw`[!=]==\s*crc32\(`,
    String.raw`\b(?:\w+\.)*(?:chain|crc|Crc)\s*[!=]==`,
    String.raw`[!=]==\s*(?:\w+\.)*(?:chain|crc)\b`,
  ].join("|"),
  "g",
);
const PATTERNS: Readonly<Record<SiteKind, RegExp>> = {
  sync: SYNC,
  truncate: TRUNCATE,
  checksum: CHECKSUM,
};
/** What follows the name where something is declared, not called. */
const DECLARATION = /^[^()]*\([^()]*\)\s*:\s*[\w<>| ]+[{;]/;

/** The places in a source text, in order; comments and declarations do not count. */
export function findCallSites(text: string): CallSite[] {
  const code = text.replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, (comment) => " ".repeat(comment.length));
  const sites: CallSite[] = [];
  for (const [kind, pattern] of Object.entries(PATTERNS) as [SiteKind, RegExp][]) {
    for (const { 0: call, index: at } of code.matchAll(pattern)) {
      const isNamed = call.endsWith("(");
      if (isNamed && /\bfunction $/.test(code.slice(0, at))) continue;
      if (isNamed && DECLARATION.test(code.slice(at)) && !/[.]$/.test(code.slice(0, at))) continue;
      const line = text.slice(text.lastIndexOf("\n", at) + 1, text.indexOf("\n", at)).trim();
      sites.push({ kind, call, at, line });
    }
  }
  return sites.sort((left, right) => left.at - right.at);
}
