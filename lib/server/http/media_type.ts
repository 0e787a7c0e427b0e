/** Media types in headers. */

/** Whether `Accept` prefers `type`, which it must name, to `other`. */
export function prefers(accept: string | null, type: string, other: string): boolean {
  if (accept === null) return false;
  const weight = weightOf(accept, type);
  return weight > 0 && weight >= weightOf(accept, other);
}

/** The type itself, of a header `Content-Type`: without parameters, in lower case. */
export function essenceOf(contentType: string | null): string {
  return (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

/** 0 to 1; 0 if the type is not named. */
function weightOf(accept: string, type: string): number {
  for (const part of accept.split(",")) {
    if (essenceOf(part) !== type) continue;
    const quality = /;\s*q=([\d.]+)/i.exec(part)?.[1];
    return quality === undefined ? 1 : Number(quality) || 0;
  }
  return 0;
}
